package main

import (
	"errors"
	"fmt"
	"reflect"
	"sync"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// failure is a fault with the words that a user reads.
type failure struct {
	fault   types.BaseMethodFault
	message string
}

// failureOf is nil for no fault.
func failureOf(fault types.BaseMethodFault) *failure {
	if fault == nil {
		return nil
	}
	return &failure{fault: fault}
}

func (f *failure) text() string {
	if f.message != "" {
		return f.message
	}
	switch f.fault.(type) {
	case *types.InvalidState:
		return "The operation is not allowed in the current state."
	case *types.TaskInProgress:
		return "Another task is already in progress."
	case *types.HostNotConnected:
		return "Unable to communicate with the remote host, since it is disconnected."
	case *types.RequestCanceled:
		return "The task was canceled by a user."
	case *types.Timedout:
		return "Operation timed out."
	case *types.InvalidLogin:
		return "Cannot complete login due to an incorrect user name or password."
	case *types.NotAuthenticated:
		return "The session is not authenticated."
	default:
		return typeName(f.fault)
	}
}

// refusal answers a call with a fault instead of starting anything.
func refusal(fault types.BaseMethodFault) *soap.Fault {
	return simulator.Fault(failureOf(fault).text(), fault)
}

func typeName(value any) string {
	return reflect.Indirect(reflect.ValueOf(value)).Type().Name()
}

// What a rule may do to a call over VI/JSON, or to the task that a call starts.
const (
	actFault     = "fault"     // answers with a fault
	actTaskFault = "taskFault" // the task starts, and fails with a fault when it would succeed
	actStatus    = "status"    // answers with a status of HTTP
	actHTML      = "html"      // answers 200 with a page
	actCutBefore = "cutBefore" // cuts the connection, nothing is done
	actCutAfter  = "cutAfter"  // carries the call out, and cuts the connection
	actHold      = "hold"      // waits, and carries the call out
)

// faultRule makes a number of calls fail.
type faultRule struct {
	// A method as in the URL, "GET PROPERTY" for a read, or nothing for any.
	Method string `json:"method"`
	// The id of an object, or nothing for any.
	Object string `json:"object"`
	// How many calls; 1 if not given.
	Times  int    `json:"times"`
	Action string `json:"action"`
	// For fault and taskFault: a type of the API, and words for the user.
	Fault   string `json:"fault"`
	Message string `json:"message"`
	// For status.
	Status int `json:"status"`
	// For status 429 and 503; no header if not given.
	RetryAfterSeconds *int `json:"retryAfterSeconds"`
	// For hold.
	Milliseconds int `json:"milliseconds"`

	failure *failure
}

// check completes a rule that came from outside.
func (r *faultRule) check() (err error) {
	if r.Times == 0 {
		r.Times = 1
	}
	switch r.Action {
	case actFault, actTaskFault:
		r.failure, err = newFailure(r.Fault, r.Message)
		return err
	case actStatus:
		if r.Status < 400 || r.Status > 599 {
			return errors.New("status has to be from 400 to 599")
		}
	case actHold:
		if r.Milliseconds <= 0 {
			return errors.New("milliseconds has to be more than 0")
		}
	case actHTML, actCutBefore, actCutAfter:
	default:
		return fmt.Errorf("unknown action %q", r.Action)
	}
	return nil
}

func newFailure(name, message string) (*failure, error) {
	kind, known := types.TypeFunc()(name)
	if !known {
		return nil, fmt.Errorf("unknown fault %q", name)
	}
	fault, isFault := reflect.New(kind).Interface().(types.BaseMethodFault)
	if !isFault {
		return nil, fmt.Errorf("%s is not a fault", name)
	}
	return &failure{fault, message}, nil
}

// faultRules are those that still have calls to spoil, oldest first.
type faultRules struct {
	mu    sync.Mutex
	rules []*faultRule
}

func (f *faultRules) add(rule faultRule) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = append(f.rules, &rule)
}

// takeForCall gives what is to happen to a call over VI/JSON, or nil.
func (f *faultRules) takeForCall(method, object string) *faultRule {
	return f.take(method, object, func(rule *faultRule) bool { return rule.Action != actTaskFault })
}

// takeForTask gives how a task that starts now is to fail, or nil.
func (f *faultRules) takeForTask(method, object string) *failure {
	rule := f.take(method, object, func(rule *faultRule) bool { return rule.Action == actTaskFault })
	if rule == nil {
		return nil
	}
	return rule.failure
}

func (f *faultRules) take(method, object string, wanted func(*faultRule) bool) *faultRule {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, rule := range f.rules {
		fits := (rule.Method == "" || rule.Method == method) && (rule.Object == "" || rule.Object == object)
		if rule.Times > 0 && fits && wanted(rule) {
			rule.Times--
			return rule
		}
	}
	return nil
}

// left gives the rules with the calls that they have not spoilt yet.
func (f *faultRules) left() []faultRule {
	f.mu.Lock()
	defer f.mu.Unlock()
	left := []faultRule{}
	for _, rule := range f.rules {
		if rule.Times > 0 {
			left = append(left, *rule)
		}
	}
	return left
}

func (f *faultRules) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.rules = nil
}

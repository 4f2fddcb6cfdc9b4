package main

import (
	"bytes"
	"context"
	stdjson "encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"strconv"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25"
	"github.com/vmware/govmomi/vim25/json"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const sessionHeader = "vmware-api-session-id"

// facade serves the objects of vcsim over VI/JSON, which vcsim itself does not speak: a property by GET, a method by
// POST, below /sdk/vim25/RELEASE/TYPE/ID/.
type facade struct {
	registry   *simulator.Registry
	operations *operations
	sessions   *sessions
	faults     *faultRules
	counters   *counters
	allowed    func(user, password string) bool
	// For what may be read without a login.
	anonymous *simulator.Session
}

// call is a request as far as its URL tells.
type call struct {
	this ref
	// The property or method.
	member string
	isRead bool
}

// name is what rules and counters know it by.
func (c call) name() string {
	if c.isRead {
		return "GET " + c.member
	}
	return c.member
}

func (c call) needsNoLogin() bool {
	return c.this == vim25.ServiceInstance && (c.name() == "GET content" || c.member == "RetrieveServiceContent")
}

func callOf(r *http.Request) call {
	return call{
		this:   ref{Type: r.PathValue("type"), Value: r.PathValue("id")},
		member: r.PathValue("member"),
		isRead: r.Method == http.MethodGet,
	}
}

// answer is the response before it is written: a value, nothing, or a failure.
type answer struct {
	value any
	// Given after a login.
	sessionKey string
	failure    *failure
}

func failed(fault types.BaseMethodFault) answer {
	return answer{failure: failureOf(fault)}
}

// ServeHTTP answers a call, or spoils it as a rule says.
func (f *facade) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call := callOf(r)
	f.counters.count(call.name())
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	rule := f.faults.takeForCall(call.name(), call.this.Value)
	if rule == nil {
		f.answer(call, r, body).write(w)
		return
	}
	switch rule.Action {
	case actFault:
		answer{failure: rule.failure}.write(w)
	case actStatus:
		writeStatus(w, rule)
	case actHTML:
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<html><body>Please wait while the service starts.</body></html>")
	case actCutBefore:
		panic(http.ErrAbortHandler)
	case actCutAfter:
		f.answer(call, r, body)
		panic(http.ErrAbortHandler)
	case actHold:
		time.Sleep(time.Duration(rule.Milliseconds) * time.Millisecond)
		f.answer(call, r, body).write(w)
	}
}

func writeStatus(w http.ResponseWriter, rule *faultRule) {
	if rule.RetryAfterSeconds != nil {
		w.Header().Set("Retry-After", strconv.Itoa(*rule.RetryAfterSeconds))
	}
	http.Error(w, http.StatusText(rule.Status), rule.Status)
}

func (f *facade) answer(call call, r *http.Request, body []byte) answer {
	if call.member == "Login" && !call.isRead {
		return f.login(body)
	}
	session := f.sessions.of(r.Header.Get(sessionHeader))
	if session == nil && call.needsNoLogin() {
		session = f.anonymous
	}
	if session == nil {
		return failed(&types.NotAuthenticated{NoPermission: types.NoPermission{Object: &call.this, PrivilegeId: "System.View"}})
	}
	if call.isRead {
		return f.read(session, call)
	}
	if call.member == "Logout" {
		f.sessions.logout(session)
		return answer{}
	}
	return f.invoke(session, call, body)
}

func (f *facade) login(body []byte) answer {
	request := new(types.Login)
	if err := types.NewJSONDecoder(bytes.NewReader(body)).Decode(request); err != nil {
		return failed(new(types.InvalidRequest))
	}
	if !f.allowed(request.UserName, request.Password) {
		return failed(new(types.InvalidLogin))
	}
	session := f.sessions.login(request.UserName)
	return answer{value: session.UserSession, sessionKey: session.Key}
}

// invoke calls the method with the arguments in the body.
func (f *facade) invoke(session *simulator.Session, call call, body []byte) answer {
	kind, known := types.TypeFunc()(call.member)
	if !known || kind.Kind() != reflect.Struct {
		return failed(&types.MethodNotFound{Receiver: call.this, Method: call.member})
	}
	request := reflect.New(kind)
	err := types.NewJSONDecoder(bytes.NewReader(body)).Decode(request.Interface())
	if err != nil && !errors.Is(err, io.EOF) {
		return failed(new(types.InvalidRequest))
	}
	this := request.Elem().FieldByName("This")
	if !this.IsValid() {
		return failed(&types.MethodNotFound{Receiver: call.this, Method: call.member})
	}
	this.Set(reflect.ValueOf(call.this))
	return f.carryOut(session, call.this, call.member, request.Interface())
}

// carryOut does what vcsim does with a call over SOAP.
func (f *facade) carryOut(session *simulator.Session, this ref, method string, request any) answer {
	object := session.Get(this)
	if object == nil {
		return failed(&types.ManagedObjectNotFound{Obj: this})
	}
	if f.operations.serves(method) {
		object = f.operations
	}
	run := methodOf(object, method)
	if !run.IsValid() {
		return failed(&types.MethodNotFound{Receiver: this, Method: method})
	}
	ctx := &simulator.Context{Context: context.Background(), Map: f.registry, Session: session}
	arguments := []reflect.Value{reflect.ValueOf(ctx), reflect.ValueOf(request)}
	// Some methods of vcsim take no context.
	arguments = arguments[2-run.Type().NumIn():]
	var body soap.HasFault
	ctx.WithLock(object, func() { body = run.Call(arguments)[0].Interface().(soap.HasFault) })
	return answerOf(body)
}

func answerOf(body soap.HasFault) answer {
	if fault := body.Fault(); fault != nil {
		return answer{failure: &failure{fault.VimFault().(types.BaseMethodFault), fault.String}}
	}
	value := reflect.ValueOf(body).Elem().FieldByName("Res").Elem().FieldByName("Returnval")
	if !value.IsValid() || value.Kind() == reflect.Pointer && value.IsNil() {
		return answer{}
	}
	switch result := value.Interface().(type) {
	case *types.RetrieveResult:
		tidy(result.Objects)
	case types.RetrieveResult:
		tidy(result.Objects)
	}
	return answer{value: value.Interface()}
}

// tidy leaves out properties that have no value, as vcsim does on the first page only, and gives lists of nothing their
// brackets.
func tidy(objects []types.ObjectContent) {
	for i, object := range objects {
		set := object.PropSet[:0]
		for _, property := range object.PropSet {
			if property.Val != nil {
				set = append(set, types.DynamicProperty{Name: property.Name, Val: withBrackets(property.Val)})
			}
		}
		objects[i].PropSet = set
	}
}

// listIn finds the list in an ArrayOfX, which stands for a list where any type may stand.
func listIn(value any) (list reflect.Value, found bool) {
	box := reflect.Indirect(reflect.ValueOf(value))
	if box.Kind() != reflect.Struct || box.NumField() != 1 || box.Type().Field(0).Tag.Get("json") != "_value" {
		return reflect.Value{}, false
	}
	return box.Field(0), true
}

func withBrackets(value any) any {
	list, isList := listIn(value)
	if !isList || !list.IsNil() {
		return value
	}
	box := reflect.New(reflect.Indirect(reflect.ValueOf(value)).Type())
	box.Elem().Field(0).Set(reflect.MakeSlice(list.Type(), 0, 0))
	return box.Interface()
}

// read gives a property by way of the property collector.
func (f *facade) read(session *simulator.Session, call call) answer {
	collector := f.registry.Get(vim25.ServiceInstance).(*simulator.ServiceInstance).Content.PropertyCollector
	collected := f.carryOut(session, collector, "RetrievePropertiesEx", &types.RetrievePropertiesEx{
		This: collector,
		SpecSet: []types.PropertyFilterSpec{{
			PropSet:   []types.PropertySpec{{Type: call.this.Type, PathSet: []string{call.member}}},
			ObjectSet: []types.ObjectSpec{{Obj: call.this}},
		}},
	})
	if collected.failure != nil {
		return collected
	}
	content := collected.value.(*types.RetrieveResult).Objects[0]
	if len(content.MissingSet) > 0 {
		return failed(content.MissingSet[0].Fault.Fault)
	}
	if len(content.PropSet) == 0 {
		return answer{}
	}
	value := content.PropSet[0].Val
	// A property has a type: its list stands for itself.
	if list, isList := listIn(value); isList {
		value = list.Interface()
	}
	return answer{value: value}
}

func (a answer) write(w http.ResponseWriter) {
	if a.sessionKey != "" {
		w.Header().Set(sessionHeader, a.sessionKey)
	}
	switch {
	case a.failure != nil:
		writeJSON(w, http.StatusInternalServerError, a.failure.encode())
	case a.value == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		writeJSON(w, http.StatusOK, encode(a.value))
	}
}

func writeJSON(w http.ResponseWriter, status int, body []byte) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	w.Write(body)
}

// encode gives every object its type, and leaves lists and plain values alone.
func encode(value any) []byte {
	var body bytes.Buffer
	encoder := json.NewEncoder(&body)
	encoder.SetDiscriminator("_typeName", "_value", json.DiscriminatorEncodeTypeNameAllObjects)
	encoder.SetTypeToDiscriminatorFunc(types.VmomiTypeName)
	if err := encoder.Encode(value); err != nil {
		panic(err)
	}
	return body.Bytes()
}

// encode gives the fault as the body of a response has it: with the message beside its properties.
func (f *failure) encode() []byte {
	var members map[string]stdjson.RawMessage
	if err := stdjson.Unmarshal(encode(f.fault), &members); err != nil {
		panic(err)
	}
	members["faultstring"], _ = stdjson.Marshal(f.text())
	body, _ := stdjson.Marshal(members)
	return body
}

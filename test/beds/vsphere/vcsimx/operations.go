package main

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

type ref = types.ManagedObjectReference

// How often a running operation looks at the world.
const tick = 20 * time.Millisecond

// operations carries out the methods that vcsim has only as stubs. A method that it has is taken from the object that
// was called and given to it: see redirect.
//
// One lock decides everything, so that no two operations can start on one object. Below it vcsim's lock of an object is
// held for the moment of reading or writing it; nothing that holds one of those waits for ours.
type operations struct {
	// vcsim finds the lock of an object by this name.
	Self ref

	registry *simulator.Registry
	faults   *faultRules
	journal  *journal
	timings  *timings

	mu sync.Mutex
	// By the host or virtual machine that they belong to.
	running map[ref]*operation
	started int
}

func newOperations(registry *simulator.Registry, faults *faultRules, journal *journal, timings *timings) *operations {
	o := &operations{
		Self:     ref{Type: "Operations", Value: "operations"},
		registry: registry,
		faults:   faults,
		journal:  journal,
		timings:  timings,
		running:  map[ref]*operation{},
	}
	registry.Put(o)
	registry.Handler = o.redirect
	return o
}

func (o *operations) Reference() types.ManagedObjectReference { return o.Self }

// Lock and Unlock replace the lock that vcsim would hold during a whole call.
func (o *operations) Lock()   {}
func (o *operations) Unlock() {}

// redirect is asked by vcsim before it carries out a call that came over SOAP. A session looks the target up again by
// what the call says, so that has to be changed too; the arguments still hold the object that was meant.
func (o *operations) redirect(_ *simulator.Context, call *simulator.Method) (mo.Reference, types.BaseMethodFault) {
	if !o.serves(call.Name) {
		return nil, nil
	}
	call.This = o.Self
	return o, nil
}

func (o *operations) serves(method string) bool {
	return methodOf(o, method).IsValid()
}

// methodOf finds what carries out a method of the API; vcsim spells X_Task as XTask.
func methodOf(object mo.Reference, method string) reflect.Value {
	if name, isTask := strings.CutSuffix(method, "_Task"); isTask {
		method = name + "Task"
	}
	return reflect.ValueOf(object).MethodByName(method)
}

// operation is a task while it runs.
type operation struct {
	// As in the journal.
	kind string
	// The method of the API that starts such a task, also where nobody called it.
	method        string
	descriptionID string
	subject       ref
	name          string
	// The host on which something will run when this is over; it cannot enter maintenance before.
	target     ref
	from, to   string
	by         string
	cancelable bool
	// How much is done, in percent, so long after the start; 100 when it can be completed.
	progress func(elapsed time.Duration) (int32, types.BaseMethodFault)
	complete func() types.BaseMethodFault

	task      *simulator.Task
	record    *record
	failure   *failure
	cancelled bool
}

// start makes the task and carries it out in the background. The caller holds the lock.
func (o *operations) start(op *operation) ref {
	op.failure = o.faults.takeForTask(op.method, op.subject.Value)
	op.task = o.newTask(op)
	op.record = o.journal.begin(record{
		Operation: op.kind,
		Object:    op.subject.Value,
		Name:      op.name,
		From:      op.from,
		To:        op.to,
		By:        op.by,
		Task:      op.task.Self.Value,
	})
	o.running[op.subject] = op
	go o.carryOut(op)
	return op.task.Self
}

func (o *operations) newTask(op *operation) *simulator.Task {
	now := time.Now()
	o.started++
	task := new(simulator.Task)
	task.Self = ref{Type: "Task", Value: fmt.Sprintf("task-m%d", o.started)}
	task.Info = types.TaskInfo{
		Key:           task.Self.Value,
		Task:          task.Self,
		Name:          op.method,
		DescriptionId: op.descriptionID,
		Entity:        &op.subject,
		EntityName:    op.name,
		State:         types.TaskInfoStateRunning,
		Cancelable:    op.cancelable,
		Reason:        &types.TaskReasonUser{UserName: op.by},
		QueueTime:     now,
		StartTime:     &now,
	}
	// Put writes recentTask of the subject and does not lock it.
	o.registry.WithLock(o.context(), op.subject, func() { o.registry.Put(task) })
	return task
}

func (o *operations) carryOut(op *operation) {
	begun := time.Now()
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for range ticker.C {
		if o.step(op, time.Since(begun)) {
			return
		}
	}
}

// step takes an operation further, and says whether it is over.
func (o *operations) step(op *operation, elapsed time.Duration) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if op.cancelled {
		o.end(op, &failure{fault: new(types.RequestCanceled)})
		return true
	}
	percent, fault := op.progress(elapsed)
	if fault == nil && percent < 100 {
		o.update(op.task, types.PropertyChange{Name: "info.progress", Val: percent})
		return false
	}
	switch {
	case fault != nil:
		o.end(op, &failure{fault: fault})
	case op.failure != nil:
		o.end(op, op.failure)
	default:
		o.end(op, failureOf(op.complete()))
	}
	return true
}

func (o *operations) end(op *operation, failed *failure) {
	delete(o.running, op.subject)
	changes := []types.PropertyChange{{Name: "info.completeTime", Val: time.Now()}}
	if failed == nil {
		changes = append(changes,
			types.PropertyChange{Name: "info.progress", Val: int32(100)},
			types.PropertyChange{Name: "info.state", Val: types.TaskInfoStateSuccess})
	} else {
		changes = append(changes,
			types.PropertyChange{Name: "info.error", Val: types.LocalizedMethodFault{Fault: failed.fault, LocalizedMessage: failed.text()}},
			types.PropertyChange{Name: "info.state", Val: types.TaskInfoStateError})
	}
	// The record first: who sees that the task is over finds it ended.
	o.journal.end(op.record, failed)
	o.update(op.task, changes...)
}

// CancelTask asks a task to end. Like a vCenter it does not wait for that.
func (o *operations) CancelTask(_ *simulator.Context, req *types.CancelTask) soap.HasFault {
	o.mu.Lock()
	defer o.mu.Unlock()
	if _, found := o.registry.Get(req.This).(*simulator.Task); !found {
		return &methods.CancelTaskBody{Fault_: refusal(&types.ManagedObjectNotFound{Obj: req.This})}
	}
	op := o.operationOf(req.This)
	if op == nil {
		return &methods.CancelTaskBody{Fault_: refusal(new(types.InvalidState))}
	}
	if !op.cancelable {
		return &methods.CancelTaskBody{Fault_: refusal(new(types.NotSupported))}
	}
	op.cancelled = true
	o.update(op.task, types.PropertyChange{Name: "info.cancelled", Val: true})
	return &methods.CancelTaskBody{Res: new(types.CancelTaskResponse)}
}

func (o *operations) operationOf(task ref) *operation {
	for _, op := range o.running {
		if op.task.Self == task {
			return op
		}
	}
	return nil
}

// spend is the progress of what only takes time.
func spend(length time.Duration) func(time.Duration) (int32, types.BaseMethodFault) {
	return func(elapsed time.Duration) (int32, types.BaseMethodFault) {
		if elapsed >= length {
			return 100, nil
		}
		return int32(100 * elapsed / length), nil
	}
}

// update changes properties of an object, so that those who wait for changes see them.
func (o *operations) update(object mo.Reference, changes ...types.PropertyChange) {
	o.registry.AtomicUpdate(o.context(), object, changes)
}

// context is a new owner of locks: with one for all, vcsim would let everybody in.
func (o *operations) context() *simulator.Context {
	return &simulator.Context{Context: context.Background(), Map: o.registry}
}

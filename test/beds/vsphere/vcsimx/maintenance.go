package main

import (
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	enterMethod = "EnterMaintenanceMode_Task"
	exitMethod  = "ExitMaintenanceMode_Task"
)

// EnterMaintenanceModeTask waits until nothing runs on the host any more, and moves nothing itself: DRS does, or nobody.
func (o *operations) EnterMaintenanceModeTask(ctx *simulator.Context, req *types.EnterMaintenanceMode_Task) soap.HasFault {
	o.mu.Lock()
	defer o.mu.Unlock()
	h, fault := o.host(req.This)
	if fault = firstFault(fault, o.inService(h)); fault != nil {
		return &methods.EnterMaintenanceMode_TaskBody{Fault_: refusal(fault)}
	}
	wait := &evacuation{
		operations: o,
		subject:    h.self,
		timeout:    time.Duration(req.Timeout) * time.Second,
		atLeast:    o.timings.read().enter(),
		withOff:    req.EvacuatePoweredOffVms != nil && *req.EvacuatePoweredOffVms,
	}
	task := o.start(&operation{
		kind:          "enter",
		method:        enterMethod,
		descriptionID: "HostSystem.enterMaintenanceMode",
		subject:       h.self,
		name:          h.name,
		by:            ctx.Session.UserName,
		cancelable:    true,
		progress:      wait.progress,
		complete:      func() types.BaseMethodFault { return o.setMaintenance(h.self, true) },
	})
	return &methods.EnterMaintenanceMode_TaskBody{Res: &types.EnterMaintenanceMode_TaskResponse{Returnval: task}}
}

// ExitMaintenanceModeTask takes the host out of maintenance.
func (o *operations) ExitMaintenanceModeTask(ctx *simulator.Context, req *types.ExitMaintenanceMode_Task) soap.HasFault {
	o.mu.Lock()
	defer o.mu.Unlock()
	h, fault := o.host(req.This)
	if fault = firstFault(fault, o.mayExit(h)); fault != nil {
		return &methods.ExitMaintenanceMode_TaskBody{Fault_: refusal(fault)}
	}
	task := o.start(&operation{
		kind:          "exit",
		method:        exitMethod,
		descriptionID: "HostSystem.exitMaintenanceMode",
		subject:       h.self,
		name:          h.name,
		by:            ctx.Session.UserName,
		cancelable:    true,
		progress:      spend(o.timings.read().exit()),
		complete:      func() types.BaseMethodFault { return o.setMaintenance(h.self, false) },
	})
	return &methods.ExitMaintenanceMode_TaskBody{Res: &types.ExitMaintenanceMode_TaskResponse{Returnval: task}}
}

func (o *operations) mayExit(h host) types.BaseMethodFault {
	if fault := connection(h); fault != nil {
		return fault
	}
	if !h.inMaintenance || o.running[h.self] != nil {
		return new(types.InvalidState)
	}
	return nil
}

func (o *operations) setMaintenance(self ref, on bool) types.BaseMethodFault {
	h, fault := o.host(self)
	if fault = firstFault(fault, connection(h)); fault != nil {
		return fault
	}
	// Both, for those who wait for changes: it is the same value.
	o.update(o.registry.Get(self),
		types.PropertyChange{Name: "runtime.inMaintenanceMode", Val: on},
		types.PropertyChange{Name: "summary.runtime.inMaintenanceMode", Val: on})
	return nil
}

// evacuation is the waiting of a host for maintenance.
type evacuation struct {
	*operations
	subject ref
	// None if zero or less.
	timeout time.Duration
	atLeast time.Duration
	// Whether those that are powered off have to leave, too.
	withOff bool
	// How many there were at the beginning.
	initially int
}

func (e *evacuation) progress(elapsed time.Duration) (int32, types.BaseMethodFault) {
	h, fault := e.host(e.subject)
	if fault = firstFault(fault, connection(h)); fault != nil {
		return 0, fault
	}
	left := e.left(h)
	if len(left) == 0 && !e.expected(h.self) && elapsed >= e.atLeast {
		return 100, nil
	}
	if e.timeout > 0 && elapsed >= e.timeout {
		return 0, new(types.Timedout)
	}
	if e.drsMoves(h.cluster) {
		e.moveNext(h, left)
	}
	e.initially = max(e.initially, len(left))
	// It starts at 2 like that of a vCenter, and stays there when nothing moves.
	return int32(2 + 97*(e.initially-len(left))/max(e.initially, 1)), nil
}

func (e *evacuation) left(h host) []machine {
	var left []machine
	for _, self := range h.machines {
		if vm, fault := e.machine(self); fault == nil && (vm.on || e.withOff) {
			left = append(left, vm)
		}
	}
	return left
}

package main

import (
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// PowerOnVMTask starts a virtual machine on the host where it is registered.
func (o *operations) PowerOnVMTask(ctx *simulator.Context, req *types.PowerOnVM_Task) soap.HasFault {
	o.mu.Lock()
	defer o.mu.Unlock()
	vm, h, fault := o.machineOnHost(req.This)
	if fault = firstFault(fault, o.busy(vm.self), o.inService(h)); fault != nil {
		return &methods.PowerOnVM_TaskBody{Fault_: refusal(fault)}
	}
	op := o.powerOperation(vm, true, ctx.Session.UserName)
	op.target = h.self
	return &methods.PowerOnVM_TaskBody{Res: &types.PowerOnVM_TaskResponse{Returnval: o.start(op)}}
}

// PowerOffVMTask ends a virtual machine without asking its guest.
func (o *operations) PowerOffVMTask(ctx *simulator.Context, req *types.PowerOffVM_Task) soap.HasFault {
	o.mu.Lock()
	defer o.mu.Unlock()
	vm, h, fault := o.machineOnHost(req.This)
	if fault = firstFault(fault, o.busy(vm.self), connection(h)); fault != nil {
		return &methods.PowerOffVM_TaskBody{Fault_: refusal(fault)}
	}
	op := o.powerOperation(vm, false, ctx.Session.UserName)
	return &methods.PowerOffVM_TaskBody{Res: &types.PowerOffVM_TaskResponse{Returnval: o.start(op)}}
}

// ShutdownGuest asks the guest to end. There is no task to wait for: some time later the virtual machine is off.
func (o *operations) ShutdownGuest(ctx *simulator.Context, req *types.ShutdownGuest) soap.HasFault {
	o.mu.Lock()
	defer o.mu.Unlock()
	vm, h, fault := o.machineOnHost(req.This)
	if fault = firstFault(fault, connection(h)); fault == nil && !vm.on {
		fault = invalidPower(vm, true)
	}
	if fault != nil {
		return &methods.ShutdownGuestBody{Fault_: refusal(fault)}
	}
	entry := o.journal.begin(record{Operation: "shutdown", Object: vm.self.Value, Name: vm.name, From: h.name, By: ctx.Session.UserName})
	time.AfterFunc(o.timings.read().shutdown(), func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		o.journal.end(entry, failureOf(o.setPower(vm.self, false)))
	})
	return &methods.ShutdownGuestBody{Res: new(types.ShutdownGuestResponse)}
}

func (o *operations) machineOnHost(self ref) (machine, host, types.BaseMethodFault) {
	vm, fault := o.machine(self)
	if fault != nil {
		return vm, host{}, fault
	}
	h, fault := o.host(vm.host)
	return vm, h, fault
}

func (o *operations) powerOperation(vm machine, on bool, by string) *operation {
	op := &operation{
		kind:          "powerOff",
		method:        "PowerOffVM_Task",
		descriptionID: "VirtualMachine.powerOff",
		subject:       vm.self,
		name:          vm.name,
		by:            by,
		progress:      spend(o.timings.read().power()),
		complete:      func() types.BaseMethodFault { return o.setPower(vm.self, on) },
	}
	if on {
		op.kind, op.method, op.descriptionID = "powerOn", "PowerOnVM_Task", "VirtualMachine.powerOn"
	}
	return op
}

func (o *operations) setPower(self ref, on bool) types.BaseMethodFault {
	vm, fault := o.machine(self)
	if fault != nil {
		return fault
	}
	if vm.on == on {
		return invalidPower(vm, on)
	}
	o.update(o.registry.Get(self), powerChanges(on)...)
	return nil
}

func invalidPower(vm machine, requested bool) types.BaseMethodFault {
	return &types.InvalidPowerState{RequestedState: powerState(requested), ExistingState: powerState(vm.on)}
}

func powerState(on bool) types.VirtualMachinePowerState {
	if on {
		return types.VirtualMachinePowerStatePoweredOn
	}
	return types.VirtualMachinePowerStatePoweredOff
}

// powerChanges also says that VMware Tools run in every guest: without them a guest cannot be asked to end.
func powerChanges(on bool) []types.PropertyChange {
	tools := types.VirtualMachineToolsRunningStatusGuestToolsNotRunning
	if on {
		tools = types.VirtualMachineToolsRunningStatusGuestToolsRunning
	}
	return []types.PropertyChange{
		{Name: "runtime.powerState", Val: powerState(on)},
		{Name: "summary.runtime.powerState", Val: powerState(on)},
		{Name: "guest.toolsRunningStatus", Val: string(tools)},
	}
}

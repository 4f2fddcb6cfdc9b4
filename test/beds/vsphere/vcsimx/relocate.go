package main

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

const relocateMethod = "RelocateVM_Task"

// RelocateVMTask moves a virtual machine to another host of its cluster.
func (o *operations) RelocateVMTask(ctx *simulator.Context, req *types.RelocateVM_Task) soap.HasFault {
	o.mu.Lock()
	defer o.mu.Unlock()
	vm, source, target, fault := o.planRelocation(req)
	if fault != nil {
		return &methods.RelocateVM_TaskBody{Fault_: refusal(fault)}
	}
	task := o.relocate(vm, source, target, "VirtualMachine.relocate", ctx.Session.UserName)
	return &methods.RelocateVM_TaskBody{Res: &types.RelocateVM_TaskResponse{Returnval: task}}
}

func (o *operations) planRelocation(req *types.RelocateVM_Task) (vm machine, source, target host, fault types.BaseMethodFault) {
	if req.Spec.Host == nil {
		return vm, source, target, &types.InvalidArgument{InvalidProperty: "spec.host"}
	}
	if vm, fault = o.machine(req.This); fault != nil {
		return vm, source, target, fault
	}
	if source, fault = o.host(vm.host); fault != nil {
		return vm, source, target, fault
	}
	if target, fault = o.host(*req.Spec.Host); fault != nil {
		return vm, source, target, fault
	}
	return vm, source, target, o.mayRelocate(vm, source, target)
}

func (o *operations) mayRelocate(vm machine, source, target host) types.BaseMethodFault {
	if target.cluster != source.cluster {
		return &types.InvalidArgument{InvalidProperty: "spec.pool"}
	}
	return firstFault(connection(source), o.inService(target), o.busy(vm.self))
}

func (o *operations) relocate(vm machine, source, target host, descriptionID, by string) ref {
	return o.start(&operation{
		kind:          "relocate",
		method:        relocateMethod,
		descriptionID: descriptionID,
		subject:       vm.self,
		name:          vm.name,
		target:        target.self,
		from:          source.name,
		to:            target.name,
		by:            by,
		cancelable:    true,
		progress:      spend(o.timings.read().relocate()),
		complete:      func() types.BaseMethodFault { return o.arrive(vm.self, source.self, target.self) },
	})
}

// arrive is the end of a move. Other than vcsim it keeps the lists of both hosts right.
func (o *operations) arrive(vm, from, to ref) types.BaseMethodFault {
	_, fault := o.machine(vm)
	source, sourceFault := o.host(from)
	target, targetFault := o.host(to)
	if fault = firstFault(fault, sourceFault, targetFault, connection(source), connection(target)); fault != nil {
		return fault
	}
	o.changeMachines(from, func(all []ref) []ref {
		return slices.DeleteFunc(all, func(other ref) bool { return other == vm })
	})
	o.changeMachines(to, func(all []ref) []ref { return append(all, vm) })
	o.update(o.registry.Get(vm),
		types.PropertyChange{Name: "runtime.host", Val: to},
		types.PropertyChange{Name: "summary.runtime.host", Val: to})
	return nil
}

func (o *operations) changeMachines(self ref, change func([]ref) []ref) {
	ctx, system := o.context(), o.registry.Get(self).(*simulator.HostSystem)
	ctx.WithLock(system, func() {
		ctx.Update(system, []types.PropertyChange{{Name: "vm", Val: change(slices.Clone(system.Vm))}})
	})
}

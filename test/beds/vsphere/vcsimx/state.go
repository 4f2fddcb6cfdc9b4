package main

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// machine is what matters of a virtual machine, as it was at one moment.
type machine struct {
	self ref
	name string
	host ref
	on   bool
}

// host is what matters of a host, as it was at one moment.
type host struct {
	self          ref
	name          string
	cluster       ref
	connected     bool
	inMaintenance bool
	machines      []ref
}

func (o *operations) machine(self ref) (machine, types.BaseMethodFault) {
	vm, found := o.registry.Get(self).(*simulator.VirtualMachine)
	if !found {
		return machine{}, &types.ManagedObjectNotFound{Obj: self}
	}
	state := machine{self: self}
	o.registry.WithLock(o.context(), vm, func() {
		state.name = vm.Name
		state.host = *vm.Runtime.Host
		state.on = vm.Runtime.PowerState == types.VirtualMachinePowerStatePoweredOn
	})
	return state, nil
}

func (o *operations) host(self ref) (host, types.BaseMethodFault) {
	system, found := o.registry.Get(self).(*simulator.HostSystem)
	if !found {
		return host{}, &types.ManagedObjectNotFound{Obj: self}
	}
	state := host{self: self}
	o.registry.WithLock(o.context(), system, func() {
		state.name = system.Name
		state.cluster = *system.Parent
		state.connected = system.Runtime.ConnectionState == types.HostSystemConnectionStateConnected
		state.inMaintenance = system.Runtime.InMaintenanceMode
		state.machines = slices.Clone(system.Vm)
	})
	return state, nil
}

func connection(h host) types.BaseMethodFault {
	if !h.connected {
		return new(types.HostNotConnected)
	}
	return nil
}

// inService says whether virtual machines may be put and started on the host.
func (o *operations) inService(h host) types.BaseMethodFault {
	if fault := connection(h); fault != nil {
		return fault
	}
	// The only operations on a host itself take it into maintenance and out of it.
	if h.inMaintenance || o.running[h.self] != nil {
		return new(types.InvalidState)
	}
	return nil
}

// busy says whether something runs on the object already.
func (o *operations) busy(self ref) types.BaseMethodFault {
	if op := o.running[self]; op != nil {
		return &types.TaskInProgress{Task: op.task.Self}
	}
	return nil
}

// expected says whether something will run on the host when an operation is over.
func (o *operations) expected(h ref) bool {
	for _, op := range o.running {
		if op.target == h {
			return true
		}
	}
	return false
}

// firstFault is the first that is one.
func firstFault(faults ...types.BaseMethodFault) types.BaseMethodFault {
	for _, fault := range faults {
		if fault != nil {
			return fault
		}
	}
	return nil
}

package main

import (
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// In the journal, in place of a user.
const byDRS = "drs"

// setDRS switches DRS of a cluster to fully automated, or off. Later a client may switch it.
func setDRS(cluster *simulator.ClusterComputeResource, on bool) {
	config := cluster.ConfigurationEx.(*types.ClusterConfigInfoEx)
	config.DrsConfig.Enabled = &on
	config.DrsConfig.DefaultVmBehavior = types.DrsBehaviorFullyAutomated
}

// drsMoves says whether DRS moves virtual machines of the cluster without being asked.
func (o *operations) drsMoves(self ref) bool {
	cluster, found := o.registry.Get(self).(*simulator.ClusterComputeResource)
	if !found {
		return false
	}
	moves := false
	o.registry.WithLock(o.context(), cluster, func() {
		drs := cluster.ConfigurationEx.(*types.ClusterConfigInfoEx).DrsConfig
		moves = drs.Enabled != nil && *drs.Enabled && drs.DefaultVmBehavior == types.DrsBehaviorFullyAutomated
	})
	return moves
}

// moveNext starts to move one of those that are left on a host, when none of them moves. It is a naive DRS: one after
// another, each to the first host that may take it, whatever runs there, and without rules and overrides.
func (o *operations) moveNext(source host, left []machine) {
	if slices.ContainsFunc(left, func(vm machine) bool { return o.running[vm.self] != nil }) {
		return
	}
	if len(left) == 0 {
		return
	}
	if target, found := o.firstTarget(source); found {
		o.relocate(left[0], source, target, "Drm.ExecuteVMotionLRO", byDRS)
	}
}

func (o *operations) firstTarget(source host) (host, bool) {
	cluster := o.registry.Get(source.cluster).(*simulator.ClusterComputeResource)
	var candidates []ref
	o.registry.WithLock(o.context(), cluster, func() { candidates = slices.Clone(cluster.Host) })
	for _, self := range candidates {
		if target, fault := o.host(self); fault == nil && self != source.self && o.inService(target) == nil {
			return target, true
		}
	}
	return host{}, false
}

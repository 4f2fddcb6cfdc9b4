package main

import (
	"fmt"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/simulator/esx"
	"github.com/vmware/govmomi/vim25/types"
)

const (
	datastoreName = "datastore1"
	gibibyte      = 1 << 30
)

// size says what the inventory holds.
type size struct {
	hosts, machinesPerHost int
	// Hosts of the second cluster, which has no virtual machines.
	otherHosts int
}

// inventory fills a vCenter that is empty but for one datacenter.
//
// It calls vcsim's methods without waiting for their tasks. Such a task keeps the object that was called locked until it
// is over, so the next call waits for just that; vcsim's own way of waiting takes 20 ms for each.
type inventory struct {
	model      *simulator.Model
	datacenter *simulator.Datacenter
	// Where the datastore keeps files of virtual machines.
	files string
}

func newInventory(files string) (*inventory, error) {
	model := simulator.VPX()
	model.Host, model.Cluster, model.Portgroup, model.Datastore = 0, 0, 0, 0
	about := &model.ServiceContent.About
	about.Version, about.ApiVersion, about.FullName = "8.0.2", "8.0.2.0", "VMware vCenter Server 8.0.2 (vcsimx)"
	enlargeHosts()
	if err := model.Create(); err != nil {
		return nil, err
	}
	return &inventory{model, model.Map().Any("Datacenter").(*simulator.Datacenter), files}, nil
}

// enlargeHosts changes vcsim's template of a host: it has 4 GiB of memory, less than what is to run on it.
func enlargeHosts() {
	hardware := esx.HostSystem.Summary.Hardware
	hardware.MemorySize, hardware.NumCpuCores, hardware.NumCpuThreads = 256*gibibyte, 32, 64
	esx.HostHardwareInfo.MemorySize = hardware.MemorySize
	esx.HostHardwareInfo.CpuInfo.NumCpuCores = hardware.NumCpuCores
	esx.HostHardwareInfo.CpuInfo.NumCpuThreads = hardware.NumCpuThreads
}

// fill makes two clusters; the virtual machines are spread evenly over the first.
func (i *inventory) fill(size size, drs bool) error {
	first, err := i.addCluster("DC0_C0", size.hosts, drs)
	if err != nil {
		return err
	}
	if _, err := i.addCluster("DC0_C1", size.otherHosts, drs); err != nil {
		return err
	}
	return i.addMachines(first, size.machinesPerHost)
}

// context is a new owner of locks; events name the user of its session.
func (i *inventory) context() *simulator.Context {
	root := i.model.Service.Context
	return &simulator.Context{Context: root.Context, Map: root.Map, Session: root.Session}
}

func (i *inventory) addCluster(name string, hosts int, drs bool) (*simulator.ClusterComputeResource, error) {
	registry := i.model.Map()
	folder := registry.Get(i.datacenter.HostFolder).(*simulator.Folder)
	cluster, fault := simulator.CreateClusterComputeResource(i.context(), folder, name, types.ClusterConfigSpecEx{})
	if fault != nil {
		return nil, fmt.Errorf("cluster %s: %s", name, typeName(fault))
	}
	setDRS(cluster, drs)
	for number := range hosts {
		ctx := i.context()
		ctx.WithLock(cluster, func() {
			cluster.AddHostTask(ctx, &types.AddHost_Task{
				This:        cluster.Self,
				Spec:        types.HostConnectSpec{HostName: fmt.Sprintf("%s_H%d", name, number)},
				AsConnected: true,
			})
		})
	}
	added := i.hostsOf(cluster)
	if len(added) != hosts {
		return nil, fmt.Errorf("cluster %s has %d of %d hosts", name, len(added), hosts)
	}
	for _, host := range added {
		if err := i.addDatastore(host); err != nil {
			return nil, err
		}
	}
	return cluster, nil
}

func (i *inventory) hostsOf(cluster *simulator.ClusterComputeResource) []*simulator.HostSystem {
	var hosts []*simulator.HostSystem
	i.context().WithLock(cluster, func() {
		for _, self := range cluster.Host {
			hosts = append(hosts, i.model.Map().Get(self).(*simulator.HostSystem))
		}
	})
	return hosts
}

// addDatastore connects a host with the datastore that all have in common.
func (i *inventory) addDatastore(host *simulator.HostSystem) error {
	system := i.model.Map().Get(*host.ConfigManager.DatastoreSystem).(*simulator.HostDatastoreSystem)
	ctx := i.context()
	var err error
	ctx.WithLock(system, func() {
		request := &types.CreateLocalDatastore{This: system.Self, Name: datastoreName, Path: i.files}
		if fault := system.CreateLocalDatastore(ctx, request).Fault(); fault != nil {
			err = fmt.Errorf("datastore of %s: %s", host.Name, fault.String)
		}
	})
	return err
}

func (i *inventory) addMachines(cluster *simulator.ClusterComputeResource, perHost int) error {
	folder := i.model.Map().Get(i.datacenter.VmFolder).(*simulator.Folder)
	hosts := i.hostsOf(cluster)
	for _, host := range hosts {
		for number := range perHost {
			i.addMachine(folder, *cluster.ResourcePool, host, number)
		}
	}
	var added []ref
	i.context().WithLock(folder, func() { added = slices.Clone(folder.ChildEntity) })
	if len(added) != len(hosts)*perHost {
		return fmt.Errorf("there are %d of %d virtual machines", len(added), len(hosts)*perHost)
	}
	for _, self := range added {
		i.model.Map().AtomicUpdate(i.context(), i.model.Map().Get(self), powerChanges(true))
	}
	return nil
}

func (i *inventory) addMachine(folder *simulator.Folder, pool ref, host *simulator.HostSystem, number int) {
	ctx := i.context()
	ctx.WithLock(folder, func() {
		folder.CreateVMTask(ctx, &types.CreateVM_Task{
			This: folder.Self,
			Config: types.VirtualMachineConfigSpec{
				Name:     fmt.Sprintf("%s_VM%d", host.Name, number),
				GuestId:  string(types.VirtualMachineGuestOsIdentifierOtherGuest64),
				NumCPUs:  2,
				MemoryMB: int64(1024 * (1 + number%4)),
				Files:    &types.VirtualMachineFileInfo{VmPathName: "[" + datastoreName + "]"},
			},
			Pool: pool,
			Host: &host.Self,
		})
	})
}

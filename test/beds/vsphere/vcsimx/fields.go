package main

import (
	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// SetField sets a custom attribute as vcsim does, and keeps a record of it. vcsim would panic for an unknown object.
func (o *operations) SetField(ctx *simulator.Context, req *types.SetField) soap.HasFault {
	entity, found := o.registry.Get(req.Entity).(mo.Entity)
	if !found {
		return &methods.SetFieldBody{Fault_: refusal(&types.ManagedObjectNotFound{Obj: req.Entity})}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	entry := record{Operation: "setField", Object: req.Entity.Value, To: req.Value, By: ctx.Session.UserName}
	o.registry.WithLock(o.context(), entity, func() {
		entry.Name = entity.Entity().Name
		entry.From = fieldValue(entity.Entity(), req.Key)
	})
	manager := o.registry.CustomFieldsManager()
	var body soap.HasFault
	ctx.WithLock(manager, func() { body = manager.SetField(ctx, req) })
	if body.Fault() == nil {
		o.journal.end(o.journal.begin(entry), nil)
	}
	return body
}

func fieldValue(entity *mo.ManagedEntity, key int32) string {
	for _, value := range entity.CustomValue {
		if text, isText := value.(*types.CustomFieldStringValue); isText && text.Key == key {
			return text.Value
		}
	}
	return ""
}

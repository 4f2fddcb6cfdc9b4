package main

import (
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// counters say how often VI/JSON was called, by method.
type counters struct {
	mu    sync.Mutex
	calls map[string]int
}

func newCounters() *counters { return &counters{calls: map[string]int{}} }

func (c *counters) count(method string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.calls[method]++
}

func (c *counters) read() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.calls)
}

func (c *counters) clear() {
	c.mu.Lock()
	defer c.mu.Unlock()
	clear(c.calls)
}

// lengths say how long operations take, in milliseconds. Those that run keep theirs.
type lengths struct {
	RelocateMs int `json:"relocateMs"`
	// At least; it waits for the virtual machines, too.
	EnterMs int `json:"enterMs"`
	ExitMs  int `json:"exitMs"`
	PowerMs int `json:"powerMs"`
	// From asking a guest to shut down until it is off.
	ShutdownMs int `json:"shutdownMs"`
}

func (l lengths) relocate() time.Duration { return milliseconds(l.RelocateMs) }
func (l lengths) enter() time.Duration    { return milliseconds(l.EnterMs) }
func (l lengths) exit() time.Duration     { return milliseconds(l.ExitMs) }
func (l lengths) power() time.Duration    { return milliseconds(l.PowerMs) }
func (l lengths) shutdown() time.Duration { return milliseconds(l.ShutdownMs) }

func milliseconds(count int) time.Duration { return time.Duration(count) * time.Millisecond }

type timings struct {
	initial lengths

	mu  sync.Mutex
	now lengths
}

func newTimings(initial lengths) *timings { return &timings{initial: initial, now: initial} }

func (t *timings) read() lengths {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.now
}

func (t *timings) set(now lengths) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.now = now
}

// control is the side of the model that only tests know, below /beds/.
type control struct {
	operations *operations
	sessions   *sessions
	counters   *counters
}

func (c *control) register(mux *http.ServeMux) {
	faults, journal, timings := c.operations.faults, c.operations.journal, c.operations.timings

	mux.HandleFunc("GET /beds/faults", func(w http.ResponseWriter, _ *http.Request) { reply(w, faults.left()) })
	mux.HandleFunc("POST /beds/faults", c.addFault)
	mux.HandleFunc("DELETE /beds/faults", func(w http.ResponseWriter, _ *http.Request) { faults.clear(); done(w) })
	mux.HandleFunc("DELETE /beds/sessions", func(w http.ResponseWriter, _ *http.Request) { c.sessions.expire(); done(w) })
	mux.HandleFunc("GET /beds/log", func(w http.ResponseWriter, _ *http.Request) { reply(w, journal.read()) })
	mux.HandleFunc("DELETE /beds/log", func(w http.ResponseWriter, _ *http.Request) { journal.clear(); done(w) })
	mux.HandleFunc("GET /beds/counters", func(w http.ResponseWriter, _ *http.Request) { reply(w, c.counters.read()) })
	mux.HandleFunc("DELETE /beds/counters", func(w http.ResponseWriter, _ *http.Request) { c.counters.clear(); done(w) })
	mux.HandleFunc("GET /beds/timings", func(w http.ResponseWriter, _ *http.Request) { reply(w, timings.read()) })
	mux.HandleFunc("PATCH /beds/timings", c.changeTimings)
	mux.HandleFunc("PATCH /beds/hosts/{id}", c.changeHost)
	mux.HandleFunc("DELETE /beds", func(w http.ResponseWriter, _ *http.Request) {
		faults.clear()
		journal.clear()
		c.counters.clear()
		timings.set(timings.initial)
		done(w)
	})
}

func (c *control) addFault(w http.ResponseWriter, r *http.Request) {
	var rule faultRule
	err := decode(r, &rule)
	if err == nil {
		err = rule.check()
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.operations.faults.add(rule)
	done(w)
}

func (c *control) changeTimings(w http.ResponseWriter, r *http.Request) {
	changed := c.operations.timings.read()
	if err := decode(r, &changed); err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.operations.timings.set(changed)
	done(w)
}

var connectionStates = []types.HostSystemConnectionState{
	types.HostSystemConnectionStateConnected,
	types.HostSystemConnectionStateDisconnected,
	types.HostSystemConnectionStateNotResponding,
}

var powerStates = []types.HostSystemPowerState{
	types.HostSystemPowerStatePoweredOn,
	types.HostSystemPowerStatePoweredOff,
	types.HostSystemPowerStateStandBy,
	types.HostSystemPowerStateUnknown,
}

func (c *control) changeHost(w http.ResponseWriter, r *http.Request) {
	var change struct {
		ConnectionState types.HostSystemConnectionState `json:"connectionState"`
		PowerState      types.HostSystemPowerState      `json:"powerState"`
	}
	err := decode(r, &change)
	if change.ConnectionState != "" && !slices.Contains(connectionStates, change.ConnectionState) ||
		change.PowerState != "" && !slices.Contains(powerStates, change.PowerState) {
		err = errors.New("unknown state")
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	host, found := c.operations.registry.Get(ref{Type: "HostSystem", Value: r.PathValue("id")}).(*simulator.HostSystem)
	if !found {
		http.NotFound(w, r)
		return
	}
	if change.ConnectionState != "" {
		c.operations.update(host, types.PropertyChange{Name: "runtime.connectionState", Val: change.ConnectionState})
	}
	if change.PowerState != "" {
		c.operations.update(host, types.PropertyChange{Name: "runtime.powerState", Val: change.PowerState})
	}
	done(w)
}

// decode is strict: a key that means nothing is a mistake of the test.
func decode(r *http.Request, into any) error {
	decoder := json.NewDecoder(r.Body)
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one value")
	}
	return nil
}

func reply(w http.ResponseWriter, value any) {
	body, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	writeJSON(w, http.StatusOK, body)
}

func done(w http.ResponseWriter) { w.WriteHeader(http.StatusNoContent) }

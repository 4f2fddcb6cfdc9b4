package main

import (
	"sync"
	"time"
)

// record is one operation that changed something, or wanted to.
type record struct {
	// relocate, enter, exit, powerOn, powerOff, shutdown or setField.
	Operation string `json:"operation"`
	Object    string `json:"object"`
	Name      string `json:"name"`
	// Names of hosts for relocate, values for setField.
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// A user, or byDRS.
	By    string    `json:"by"`
	Task  string    `json:"task,omitempty"`
	Began time.Time `json:"began"`
	// Not set while it runs.
	Ended *time.Time `json:"ended,omitempty"`
	// "success", or the type of the fault.
	Result string `json:"result,omitempty"`
}

// journal remembers every operation, other than vSphere's own list of tasks.
type journal struct {
	mu      sync.Mutex
	records []*record
}

func (j *journal) begin(entry record) *record {
	j.mu.Lock()
	defer j.mu.Unlock()
	entry.Began = time.Now()
	j.records = append(j.records, &entry)
	return &entry
}

func (j *journal) end(entry *record, failed *failure) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := time.Now()
	entry.Ended = &now
	entry.Result = "success"
	if failed != nil {
		entry.Result = typeName(failed.fault)
	}
}

// read gives a copy, oldest first.
func (j *journal) read() []record {
	j.mu.Lock()
	defer j.mu.Unlock()
	records := make([]record, len(j.records))
	for i, entry := range j.records {
		records[i] = *entry
	}
	return records
}

func (j *journal) clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.records = nil
}

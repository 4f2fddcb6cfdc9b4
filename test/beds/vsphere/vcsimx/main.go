// vcsimx is a vCenter for tests: the objects of govmomi's simulator, with tasks that take their time and can fail, and
// with VI/JSON. See the README beside it.
package main

import (
	"crypto/tls"
	"encoding/json"
	"flag"
	"log"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/vmware/govmomi/simulator"
)

type options struct {
	listen, username, password string
	// The directory of bed.json and of the certificate.
	state    string
	size     size
	drs      bool
	relocate time.Duration
}

func parseOptions() options {
	var o options
	flag.StringVar(&o.listen, "listen", "127.0.0.1:0", "address")
	flag.StringVar(&o.username, "username", "admin", "")
	flag.StringVar(&o.password, "password", "secret", "")
	flag.StringVar(&o.state, "state", ".", "directory for bed.json and the certificate")
	flag.IntVar(&o.size.hosts, "hosts", 8, "hosts of the first cluster")
	flag.IntVar(&o.size.machinesPerHost, "vms-per-host", 3, "virtual machines on each of them")
	flag.IntVar(&o.size.otherHosts, "other-hosts", 1, "hosts of the second cluster")
	flag.BoolVar(&o.drs, "drs", false, "DRS of both clusters is fully automated at first, instead of off")
	flag.DurationVar(&o.relocate, "relocate", 300*time.Millisecond, "how long a move takes at first")
	flag.Parse()
	return o
}

func main() {
	if err := run(parseOptions()); err != nil {
		log.Fatal(err)
	}
}

func run(o options) error {
	files, err := os.MkdirTemp("", "vcsimx-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(files)
	inventory, err := newInventory(files)
	if err != nil {
		return err
	}
	defer inventory.model.Remove()
	if err := inventory.fill(o.size, o.drs); err != nil {
		return err
	}
	certificate, certificateFile, err := newCertificate()
	if err != nil {
		return err
	}
	// Never closed: that would wait for calls that are held.
	server := serve(inventory.model.Service, o, certificate)
	if err := announce(o, server.URL.Host, certificateFile); err != nil {
		return err
	}
	stop := make(chan os.Signal, 1)
	signal.Notify(stop, syscall.SIGINT, syscall.SIGTERM)
	<-stop
	return nil
}

func serve(service *simulator.Service, o options, certificate tls.Certificate) *simulator.Server {
	registry := service.Context.Map
	operations := newOperations(registry, new(faultRules), new(journal), newTimings(lengths{
		RelocateMs: int(o.relocate.Milliseconds()),
		EnterMs:    200,
		ExitMs:     200,
		PowerMs:    100,
		ShutdownMs: 300,
	}))
	sessions, counters := newSessions(registry), newCounters()
	facade := &facade{
		registry:   registry,
		operations: operations,
		sessions:   sessions,
		faults:     operations.faults,
		counters:   counters,
		allowed:    func(user, password string) bool { return user == o.username && password == o.password },
		anonymous:  newSession(registry, ""),
	}
	service.Listen = &url.URL{Host: o.listen, User: url.UserPassword(o.username, o.password)}
	service.TLS = &tls.Config{Certificates: []tls.Certificate{certificate}}
	service.ServeMux = http.NewServeMux()
	service.ServeMux.Handle("GET /sdk/vim25/{release}/{type}/{id}/{member}", facade)
	service.ServeMux.Handle("POST /sdk/vim25/{release}/{type}/{id}/{member}", facade)
	(&control{operations: operations, sessions: sessions, counters: counters}).register(service.ServeMux)
	return service.NewServer()
}

// announce writes how to reach the server, which tells those who wait that it is up.
func announce(o options, address string, certificate []byte) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	caFile := filepath.Join(o.state, "ca.pem")
	if err := os.WriteFile(caFile, certificate, 0o644); err != nil {
		return err
	}
	bed, err := json.MarshalIndent(map[string]string{
		"url":      "https://" + address,
		"username": o.username,
		"password": o.password,
		"caFile":   caFile,
		"govc":     filepath.Join(filepath.Dir(program), "govc"),
	}, "", "  ")
	if err != nil {
		return err
	}
	file := filepath.Join(o.state, "bed.json")
	if err := os.WriteFile(file+".new", bed, 0o644); err != nil {
		return err
	}
	return os.Rename(file+".new", file)
}

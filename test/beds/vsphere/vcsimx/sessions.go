package main

import (
	"context"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/types"
)

// sessions are those of VI/JSON. Clients of SOAP have theirs in vcsim, and stay logged in when these are forgotten.
type sessions struct {
	registry *simulator.Registry

	mu   sync.Mutex
	live map[string]*simulator.Session
}

func newSessions(registry *simulator.Registry) *sessions {
	return &sessions{registry: registry, live: map[string]*simulator.Session{}}
}

// newSession has views and page tokens of its own.
func newSession(registry *simulator.Registry, user string) *simulator.Session {
	now := time.Now()
	return &simulator.Session{
		UserSession: types.UserSession{
			Key:            uuid.NewString(),
			UserName:       user,
			FullName:       user,
			LoginTime:      now,
			LastActiveTime: now,
			Locale:         "en",
			MessageLocale:  "en",
		},
		Registry: simulator.NewRegistry(),
		Map:      registry,
	}
}

func (s *sessions) login(user string) *simulator.Session {
	session := newSession(s.registry, user)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.live[session.Key] = session
	return session
}

// of gives the session with this key, or nil.
func (s *sessions) of(key string) *simulator.Session {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.live[key]
}

func (s *sessions) logout(session *simulator.Session) {
	s.mu.Lock()
	delete(s.live, session.Key)
	s.mu.Unlock()
	// Takes what belongs to the session out of the registry.
	ctx := &simulator.Context{Context: context.Background(), Map: s.registry, Session: session}
	s.registry.SessionManager().Logout(ctx, new(types.Logout))
}

// expire forgets all of them.
func (s *sessions) expire() {
	s.mu.Lock()
	expired := s.live
	s.live = map[string]*simulator.Session{}
	s.mu.Unlock()
	for _, session := range expired {
		s.logout(session)
	}
}

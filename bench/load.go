package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"strconv"
	"sync"
	"time"
)

// client sends one site's requests over connections that stay open. It
// speaks just enough HTTP/1.1, because it shares the cores with what it
// measures.
type client struct {
	conns    []*conn
	requests [][]byte
	status   []byte
}

type conn struct {
	net.Conn

	reader    *bufio.Reader
	next      int      // request
	latencies []uint32 // ns, of the current slice
}

func dial(ctx context.Context, address string, connections int, s site) (*client, error) {
	c := &client{status: []byte(strconv.Itoa(s.status))}
	const request = "GET /v1/models HTTP/1.1\r\nHost: bench\r\nAccept: application/json\r\nUser-Agent: bench\r\n%s\r\n"
	for _, token := range s.tokens {
		c.requests = append(c.requests, fmt.Appendf(nil, request, "Authorization: Bearer "+token+"\r\n"))
	}
	if len(c.requests) == 0 {
		c.requests = [][]byte{fmt.Appendf(nil, request, "")}
	}
	var dialer net.Dialer
	for i := range connections {
		raw, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			c.close()
			return nil, err
		}
		// Each starts elsewhere, so that tokens come evenly.
		c.conns = append(c.conns, &conn{
			Conn: raw, reader: bufio.NewReaderSize(raw, 8<<10),
			next: i * len(c.requests) / connections,
		})
	}
	return c, nil
}

func (c *client) close() {
	for _, conn := range c.conns {
		_ = conn.Close() // nothing is under way
	}
}

// result of a slice.
type result struct {
	requests  int
	latencies []uint32 // ns
}

// run keeps all connections busy until the time is over, and lets what is
// under way then come to its end.
func (c *client) run(length time.Duration) (result, error) {
	end := time.Now().Add(length)
	return c.each(func(conn *conn) error {
		for start := time.Now(); start.Before(end); {
			if err := c.exchange(conn); err != nil {
				return err
			}
			now := time.Now()
			conn.latencies = append(conn.latencies, uint32(min(now.Sub(start), math.MaxUint32)))
			start = now
		}
		return nil
	})
}

// all sends every request once, some of them twice where they do not divide
// evenly: after it each token was seen.
func (c *client) all() error {
	_, err := c.each(func(conn *conn) error {
		for range (len(c.requests) + len(c.conns) - 1) / len(c.conns) {
			if err := c.exchange(conn); err != nil {
				return err
			}
		}
		return nil
	})
	return err
}

func (c *client) each(work func(*conn) error) (result, error) {
	errs := make([]error, len(c.conns))
	var wg sync.WaitGroup
	for i, conn := range c.conns {
		conn.latencies = conn.latencies[:0]
		wg.Go(func() {
			errs[i] = errors.Join(conn.SetDeadline(time.Now().Add(time.Minute)))
			if errs[i] == nil {
				errs[i] = work(conn)
			}
		})
	}
	wg.Wait()
	var sum result
	for _, conn := range c.conns {
		sum.requests += len(conn.latencies)
		sum.latencies = append(sum.latencies, conn.latencies...)
	}
	return sum, errors.Join(errs...)
}

// exchange sends the next request and reads the answer, which must be the
// expected one.
func (c *client) exchange(conn *conn) error {
	if _, err := conn.Write(c.requests[conn.next]); err != nil {
		return fmt.Errorf("sending a request: %w", err)
	}
	conn.next++
	if conn.next == len(c.requests) {
		conn.next = 0
	}
	line, err := conn.reader.ReadSlice('\n')
	if err != nil {
		return fmt.Errorf("reading an answer: %w", err)
	}
	if len(line) < 12 || !bytes.Equal(line[9:12], c.status) {
		return fmt.Errorf("reading an answer: expected status %s, got %q", c.status, bytes.TrimSpace(line))
	}
	length := -1
	for {
		line, err = conn.reader.ReadSlice('\n')
		if err != nil {
			return fmt.Errorf("reading a header: %w", err)
		}
		line = bytes.TrimSpace(line)
		if len(line) == 0 {
			break
		}
		if value, ok := cutHeader(line, "Content-Length:"); ok {
			if length, err = strconv.Atoi(string(value)); err != nil {
				return fmt.Errorf("reading Content-Length: %w", err)
			}
		}
	}
	if length < 0 {
		return errors.New("reading an answer: expected a Content-Length, got none")
	}
	if _, err := conn.reader.Discard(length); err != nil {
		return fmt.Errorf("reading a body: %w", err)
	}
	return nil
}

func cutHeader(line []byte, name string) ([]byte, bool) {
	if len(line) < len(name) || !bytes.EqualFold(line[:len(name)], []byte(name)) {
		return nil, false
	}
	return bytes.TrimSpace(line[len(name):]), true
}

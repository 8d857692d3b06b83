package redistest

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	clusterNodes  = 3
	clusterSlots  = 16384
	clusterWithin = 30 * time.Second
)

// Cluster is a Redis Cluster of three masters without replicas.
type Cluster struct{ nodes []*Server }

// StartCluster runs a cluster until the test ends, and returns once every node sees every slot served. The arguments are those
// of each node, as for [Start].
func StartCluster(t testing.TB, opts ...string) *Cluster {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), clusterWithin)
	defer cancel()
	nodes := make([]*clusterNode, clusterNodes)
	cluster := &Cluster{}
	for i := range nodes {
		nodes[i] = startNode(t, opts...)
		cluster.nodes = append(cluster.nodes, nodes[i].server)
		if err := nodes[i].assign(ctx, i); err != nil {
			t.Fatalf("make cluster: %v", err)
		}
	}
	for _, n := range nodes[1:] {
		if err := nodes[0].meet(ctx, n); err != nil {
			t.Fatalf("make cluster: %v", err)
		}
	}
	for _, n := range nodes {
		if err := n.awaitOK(ctx); err != nil {
			t.Fatalf("make cluster: node %s: %v", n.server.Addr(), err)
		}
	}
	return cluster
}

// Client connects to the cluster as [Options] say, until the test ends.
func (c *Cluster) Client(t testing.TB) *redis.ClusterClient {
	t.Helper()
	return connect(t, OptionsOf(c.URL())).(*redis.ClusterClient)
}

// URL is where all nodes of the start are, for the user of [Options].
func (c *Cluster) URL() string {
	hosts := make([]string, len(c.nodes))
	for i, node := range c.nodes {
		hosts[i] = node.Addr()
	}
	return "redis-cluster://" + userInfo() + strings.Join(hosts, ",")
}

// Server is all of it, as [Start] would answer it.
func (c *Cluster) Server() *Server { return &Server{whole: c} }

// Node is the one at addr, of those of the start.
func (c *Cluster) Node(addr string) *Server {
	return c.nodes[slices.IndexFunc(c.nodes, func(s *Server) bool { return s.Addr() == addr })]
}

// AddReplica runs a server, with these arguments, that copies the master at addr, and returns once it has all of it.
func (c *Cluster) AddReplica(t testing.TB, addr string, opts ...string) *Server {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), clusterWithin)
	defer cancel()
	master := c.Node(addr)
	if err := master.admin(t).ConfigSet(ctx, "repl-diskless-sync-delay", "0").Err(); err != nil {
		t.Fatalf("add replica: %v", err)
	}
	replica := startNode(t, opts...)
	if master.users != "" {
		replica.server.allowCopying(t)
	}
	if err := replica.follow(ctx, master.admin(t)); err != nil {
		t.Fatalf("add replica: %v", err)
	}
	return replica.server
}

// follow makes an empty node one that copies a master.
func (n *clusterNode) follow(ctx context.Context, master *redis.Client) error {
	if err := master.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", n.server.port, n.bus).Err(); err != nil {
		return fmt.Errorf("meet %s: %w", n.server.Addr(), err)
	}
	id, err := master.Do(ctx, "CLUSTER", "MYID").Text()
	if err != nil {
		return fmt.Errorf("id of the master: %w", err)
	}
	online := ",port=" + strconv.Itoa(n.server.port) + ",state=online,"
	for n.client.ClusterReplicate(ctx, id).Err() != nil || !strings.Contains(master.Info(ctx, "replication").Val(), online) {
		select {
		case <-ctx.Done():
			return fmt.Errorf("not in step: %w", ctx.Err())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return nil
}

type clusterNode struct {
	server *Server
	client *redis.Client
	bus    int // port of the nodes' own protocol
}

func startNode(t testing.TB, opts ...string) *clusterNode {
	t.Helper()
	bus := freePort(t) // by default it is the client port plus 10,000, which may be taken or above 65,535
	s := startOne(t, append([]string{
		"--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus), "--cluster-node-timeout", "5000",
	}, opts...)...)
	return &clusterNode{server: s, client: s.admin(t), bus: bus}
}

// assign gives the node its share of the slots and an epoch of its own, which spares the cluster a vote.
func (n *clusterNode) assign(ctx context.Context, i int) error {
	first, last := i*clusterSlots/clusterNodes, (i+1)*clusterSlots/clusterNodes-1
	if err := n.client.ClusterAddSlotsRange(ctx, first, last).Err(); err != nil {
		return fmt.Errorf("add slots %d to %d: %w", first, last, err)
	}
	if err := n.client.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err(); err != nil {
		return fmt.Errorf("set epoch %d: %w", i+1, err)
	}
	return nil
}

func (n *clusterNode) meet(ctx context.Context, other *clusterNode) error {
	if err := n.client.Do(ctx, "CLUSTER", "MEET", "127.0.0.1", other.server.port, other.bus).Err(); err != nil {
		return fmt.Errorf("meet %s: %w", other.server.Addr(), err)
	}
	return nil
}

// awaitOK waits until this node knows all others and sees all slots served.
func (n *clusterNode) awaitOK(ctx context.Context) error {
	for {
		info, err := n.client.ClusterInfo(ctx).Result()
		if err == nil && strings.Contains(info, "cluster_state:ok") &&
			strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d", clusterNodes)) &&
			strings.Contains(info, fmt.Sprintf("cluster_slots_ok:%d", clusterSlots)) {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("not ready within %v: %w: %s", clusterWithin, ctx.Err(), info)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

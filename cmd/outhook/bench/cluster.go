package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	clusterMasters = 3
	clusterSlots   = 16384
	// clusterWithin bounds how long the nodes may take to know each other, or a replica to follow.
	clusterWithin = 30 * time.Second
	clusterLook   = 20 * time.Millisecond
	// nodeSilent is how long a node has to be silent for its replica to take over, in milliseconds. By default it is 15 s.
	nodeSilent = "5000"
)

// startCluster runs a Redis Cluster of three masters. With replicas each has one, the first two, so that one is left when the
// other takes over.
func startCluster(ctx context.Context, program string, replicas bool) (*redisServer, error) {
	ctx, cancel := context.WithTimeout(ctx, clusterWithin)
	defer cancel()
	c := &redisServer{}
	err := c.join(ctx, program)
	if err == nil && replicas {
		err = c.double(ctx, program)
	}
	if err != nil {
		c.rdb = redis.NewClusterClient(&redis.ClusterOptions{}) // for end to close
		c.end()
		return nil, fmt.Errorf("start cluster: %w", err)
	}
	c.rdb = redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.addrs(), PoolSize: 4, DisableIdentity: true, ContextTimeoutEnabled: true})
	return c, nil
}

// join starts the masters, gives each its share of the slots, and has them meet.
func (s *redisServer) join(ctx context.Context, program string) error {
	for i := range clusterMasters {
		if err := s.addNode(ctx, program); err != nil {
			return err
		}
		first, last := i*clusterSlots/clusterMasters, (i+1)*clusterSlots/clusterMasters-1
		rdb := s.nodes[i].rdb
		if err := errors.Join(rdb.ClusterAddSlotsRange(ctx, first, last).Err(), rdb.Do(ctx, "CLUSTER", "SET-CONFIG-EPOCH", i+1).Err()); err != nil {
			return err
		}
		if i > 0 {
			if err := s.meet(ctx, s.nodes[i]); err != nil {
				return err
			}
		}
	}
	return s.awaitNodes(ctx)
}

// addNode starts one more, which knows nobody yet.
func (s *redisServer) addNode(ctx context.Context, program string) error {
	bus, err := freePort(ctx) // by default it is the client port plus 10,000, which may be taken
	if err != nil {
		return err
	}
	node, err := startRedis(ctx, program, "--cluster-enabled", "yes", "--cluster-port", strconv.Itoa(bus),
		"--cluster-node-timeout", nodeSilent, "--cluster-require-full-coverage", "no", "--repl-diskless-sync-delay", "0")
	if err != nil {
		return err
	}
	node.bus = bus
	s.nodes = append(s.nodes, node)
	return nil
}

func (s *redisServer) meet(ctx context.Context, node *redisServer) error {
	host, port, _ := net.SplitHostPort(node.addr)
	return s.nodes[0].rdb.Do(ctx, "CLUSTER", "MEET", host, port, node.bus).Err()
}

// awaitNodes waits until every node knows all others, and sees all slots served.
func (s *redisServer) awaitNodes(ctx context.Context) error {
	for _, node := range s.nodes {
		err := until(ctx, func() bool {
			info := node.rdb.ClusterInfo(ctx).Val()
			return strings.Contains(info, "cluster_state:ok") && strings.Contains(info, fmt.Sprintf("cluster_known_nodes:%d\r", len(s.nodes))) &&
				strings.Contains(info, fmt.Sprintf("cluster_slots_ok:%d", clusterSlots))
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// double gives each master a replica, and the first one more, and returns when they have all.
func (s *redisServer) double(ctx context.Context, program string) error {
	masters := s.nodes
	for _, master := range append([]*redisServer{masters[0]}, masters...) {
		if err := s.addNode(ctx, program); err != nil {
			return err
		}
		replica := s.nodes[len(s.nodes)-1]
		id, err := master.rdb.Do(ctx, "CLUSTER", "MYID").Text()
		if err == nil {
			err = s.meet(ctx, replica)
		}
		if err == nil {
			err = until(ctx, func() bool { return replica.rdb.ClusterReplicate(ctx, id).Err() == nil })
		}
		if err == nil {
			err = until(ctx, func() bool { return replica.info(ctx, "replication")["master_link_status"] == "up" })
		}
		if err != nil {
			return err
		}
	}
	return s.awaitNodes(ctx)
}

// until looks again and again whether it holds.
func until(ctx context.Context, holds func() bool) error {
	for !holds() {
		if !sleepUntil(ctx, time.Now().Add(clusterLook)) {
			return fmt.Errorf("not ready: %w", ctx.Err())
		}
	}
	return nil
}

// each is every process of a Redis.
func (s *redisServer) each() []*redisServer {
	if len(s.nodes) > 0 {
		return s.nodes
	}
	return []*redisServer{s}
}

func (s *redisServer) addrs() []string {
	var all []string
	for _, node := range s.nodes {
		all = append(all, node.addr)
	}
	return all
}

// redisURL is where the processes find Redis.
func (s *stand) redisURL() string {
	if s.layout.Cluster {
		return "redis-cluster://" + strings.Join(s.redis.addrs(), ",")
	}
	return "redis://" + s.redisAddr
}

// failOver kills the first master for good, and returns when a replica has taken over.
func (s *redisServer) failOver(ctx context.Context) error {
	s.nodes[0].end()
	s.nodes = s.nodes[1:]
	return until(ctx, func() bool {
		for _, node := range s.nodes[clusterMasters-1:] {
			if node.info(ctx, "replication")["role"] == "master" {
				return true
			}
		}
		return false
	})
}

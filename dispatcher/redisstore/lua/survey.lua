-- Answers what the reconciler has to look at under one tag, to one process at a time.
--
-- KEYS  1 lock   2 admitting   3 due
-- ARGV  1 now, ms  2 fan-outs begun before this should be finished, ms  3 lifetime of the lock, ms
--       4 how many to answer of each kind
-- Answer: {events {brand:event, …}, endpoints {brand:endpoint, …}}; empty when another has the lock.
-- Cost: O(log n + answered).
if tonumber(redis.call('GET', KEYS[1]) or 0) > tonumber(ARGV[1]) then return {{}, {}} end
redis.call('SET', KEYS[1], string.format('%.0f', ARGV[1] + ARGV[3]), 'PX', ARGV[3])
return {
  redis.call('ZRANGEBYSCORE', KEYS[2], '-inf', ARGV[2], 'LIMIT', 0, ARGV[4]),
  redis.call('ZRANGEBYSCORE', KEYS[3], '-inf', ARGV[1], 'LIMIT', 0, ARGV[4]),
}

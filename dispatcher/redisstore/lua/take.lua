-- Gives a job that runs and that nobody works on to an owner.
--
-- KEYS  1 jobs that run (sorted set, score: until when somebody works on it, ms)
-- ARGV  1 now, ms  2 until when the owner works on it, ms  3 owner  4 prefix of the jobs' keys
-- Answer: {job, its spec, its progress ('' none), begun ms}; nothing when there is none.
-- Cost: O(log running).
for _, job in ipairs(redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', ARGV[1], 'LIMIT', 0, 100)) do
  local key = ARGV[4] .. job
  local f = redis.call('HMGET', key, 'state', 'spec', 'at', 'begun', 'v')
  local known = f[5] == '1' and string.sub(f[2] or '1', 1, 1) == '1' and string.sub(f[3] or '1', 1, 1) == '1'
  if f[5] and not known then -- another version's: left to that one
  elseif f[1] == 'running' then
    redis.call('ZADD', KEYS[1], ARGV[2], job)
    redis.call('HSET', key, 'owner', ARGV[3])
    return {job, f[2], f[3] or '', f[4]}
  else
    redis.call('ZREM', KEYS[1], job) -- its beginning, or its end, was cut off
  end
end
return {}

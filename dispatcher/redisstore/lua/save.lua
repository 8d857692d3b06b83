-- Keeps how far a job is, for its owner only.
--
-- KEYS  1 jobs that run (sorted set)   2 job (hash)
-- ARGV  1 now, ms  2 until when the owner works on it, ms  3 owner ('': whose it is does not matter)  4 job
--       5 progress ('' as it was)  6 its new state  7 lifetime of a job that ended, ms
-- Answer: 1; 0 when it is no longer the owner's, or does not run.
-- Cost: O(log running).
local f = redis.call('HMGET', KEYS[2], 'owner', 'state')
if f[2] ~= 'running' or (ARGV[3] ~= '' and f[1] ~= ARGV[3]) then return 0 end
redis.call('HSET', KEYS[2], 'state', ARGV[6])
if ARGV[5] ~= '' then redis.call('HSET', KEYS[2], 'at', ARGV[5]) end
if ARGV[6] == 'running' then
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[4])
else
  redis.call('HSET', KEYS[2], 'ended', ARGV[1])
  redis.call('ZREM', KEYS[1], ARGV[4])
  redis.call('PEXPIRE', KEYS[2], ARGV[7])
end
return 1

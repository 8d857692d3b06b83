-- Deletes dead letters, but for those of another version: their deliveries count as cancelled from then on.
--
-- KEYS  6 dead letters (sorted set)
-- ARGV  7 lifetime of a settled record, ms  8 job  9 lifetime of the job's account, ms  10 … events
-- Answer: how many there were.
-- Cost: O(log n) times the events.
local buried = 0
for i = 10, #ARGV do
  local r = redis.call('HMGET', record(ARGV[i]), 'st', 'v')
  if not newer(r[2]) then
    buried = buried + redis.call('ZREM', KEYS[6], ARGV[i])
    if r[1] == 'dead' then
      redis.call('HSET', record(ARGV[i]), 'st', 'cancelled', 'up', now)
      redis.call('HDEL', record(ARGV[i]), 'dr')
      redis.call('PEXPIRE', record(ARGV[i]), ARGV[7])
    end
  end
end
if buried > 0 then
  redis.call('HSET', beside('c') .. ':' .. ARGV[8], 'v', '1')
  redis.call('HINCRBY', beside('c') .. ':' .. ARGV[8], 'deleted', buried)
  redis.call('PEXPIRE', beside('c') .. ':' .. ARGV[8], ARGV[9])
end
return buried

-- Forgets dead letters that are past their time.
--
-- KEYS  6 dead letters (sorted set)
-- ARGV  7 those that died before this go, ms  8 how many at most
-- Answer: how many went.
-- Cost: O(log n), and one record, times those that went.
local past = redis.call('ZRANGEBYSCORE', KEYS[6], '-inf', '(' .. ARGV[7], 'LIMIT', 0, ARGV[8])
for _, event in ipairs(past) do
  redis.call('ZREM', KEYS[6], event)
  local r = redis.call('HMGET', record(event), 'st', 'up')
  if r[1] == 'dead' and tonumber(r[2] or 0) < tonumber(ARGV[7]) then redis.call('DEL', record(event)) end
end
return #past

-- Takes a brand of which nothing is left out of the list of brands.
--
-- KEYS  1 brands (sorted set)   2 index (stream)   3 endpoints (set)   4 place (string)
-- ARGV  1 brand  2 one that was listed after this stays, ms
-- Answer: 1 if it went.
-- Cost: O(log brands).
local listed = redis.call('ZSCORE', KEYS[1], ARGV[1])
if not listed or tonumber(listed) > tonumber(ARGV[2]) or redis.call('XLEN', KEYS[2]) > 0 or redis.call('EXISTS', KEYS[3]) == 1 then
  return 0
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('DEL', KEYS[4])
return 1

-- Adds an endpoint to its brand's list, within the limit.
--
-- KEYS  1 list of the brand's endpoints (set)
-- ARGV  1 endpoint id  2 limit
-- Answer: 1, or 0 when the brand has as many as it may have.
-- Cost: O(1).
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 1 then return 1 end
if redis.call('SCARD', KEYS[1]) >= tonumber(ARGV[2]) then return 0 end
return redis.call('SADD', KEYS[1], ARGV[1])

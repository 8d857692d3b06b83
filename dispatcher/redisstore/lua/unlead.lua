-- Has nobody speak for all, if it is this process that does.
--
-- KEYS  1 lead (string)
-- ARGV  1 owner
-- Answer: 1 if it was.
-- Cost: O(1).
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])

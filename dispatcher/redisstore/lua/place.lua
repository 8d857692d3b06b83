-- Keeps how far a brand's index was gone through.
--
-- KEYS  1 place (string)
-- ARGV  1 place  2 its lifetime, ms
-- Answer: none.
-- Cost: O(1).
redis.call('DEL', KEYS[1]) -- first, so that a full Redis does not refuse
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])

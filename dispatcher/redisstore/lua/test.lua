-- Keeps the attempt of a test, and remembers where in a record of its own.
--
-- KEYS  1 attempts (stream)   2 record of the delivery (hash)   3 answers (stream)
-- ARGV  1 attempt id  2 attempt, packed  3 attempts older than this go, ms  4 lifetime of all, ms
--       5 the answer, packed ('' nothing is kept of it)
-- Answer: none. A known attempt id changes nothing; nor does a test the record of a delivery.
-- Cost: O(1).
local r = redis.call('HMGET', KEYS[2], 'v', 'last')
if r[2] == ARGV[1] then return end
local id = redis.call('XADD', KEYS[1], 'MINID', '~', ARGV[3], '*', 'a', ARGV[2])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
if ARGV[5] ~= '' then
  redis.pcall('XADD', KEYS[3], 'MINID', '~', ARGV[3], id, 'h', ARGV[5])
  redis.call('PEXPIRE', KEYS[3], ARGV[4])
end
if r[1] then return end
redis.call('HSET', KEYS[2], 'v', '1', 'k', '1', 'a1', id, 'last', ARGV[1])
redis.call('PEXPIRE', KEYS[2], ARGV[4])

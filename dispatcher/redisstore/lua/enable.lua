-- Enables or disables an endpoint, or leaves its tombstone.
--
-- ARGV  7 'enable', 'disable' or 'delete'  8 reason (disable)  9 lifetime of a tombstone, ms
-- Answer: the runs released {{event, run, queue}, …}, or 'gone' when there is no such endpoint.
-- Cost: as release.
local ep = endpoint()
if ep.gone then return 'gone' end
redis.call('HINCRBY', ENDPOINT, 'rev', 1)
if ARGV[7] == 'disable' then
  redis.call('HSET', ENDPOINT, 'disabled', ARGV[8])
elseif ARGV[7] == 'enable' then
  redis.call('HDEL', ENDPOINT, 'disabled')
else
  redis.call('HSET', ENDPOINT, 'deleted', '1')
  redis.call('HDEL', ENDPOINT, 'settings')
  redis.call('PEXPIRE', ENDPOINT, ARGV[9])
  redis.call('ZADD', DUE, now, ARGV[6])
end
return release(endpoint())

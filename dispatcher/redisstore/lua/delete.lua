-- Leaves an endpoint's tombstone. What is open is for cancel.lua; the endpoint is due for it at once.
--
-- ARGV  7 lifetime of the tombstone, ms
-- Answer: 'deleted', or 'gone' when there is no such endpoint, or it was deleted before.
-- Cost: O(log due).
local ep = endpoint()
if ep.gone then return 'gone' end
redis.call('HDEL', ENDPOINT, 'settings') -- first, so that a full Redis does not refuse: it will have more room
redis.call('HSET', ENDPOINT, 'deleted', '1')
raise(ep)
redis.call('PEXPIRE', ENDPOINT, ARGV[7])
redis.call('ZADD', DUE, now, ARGV[6])
return 'deleted'

-- Stores an endpoint unless its id is taken.
--
-- KEYS  1 endpoint (hash)
-- ARGV  1 settings  2 reason it is disabled ('' enabled)  3 its own limit in flight (0 none)
--       4 now, ms: its first revision, so that none is used again by a later endpoint of this id
--       5 rate limit, tokens a second (0 none)  6 its burst
-- Answer: {'created'}, {'exists', settings, disabled, disabledAt, disabledBy} or {'deleted'}.
-- Cost: O(1).
local f = redis.call('HMGET', KEYS[1], 'rev', 'deleted', 'settings', 'disabled', 'disabledAt', 'disabledBy')
if f[2] then return {'deleted'} end
if f[1] then return {'exists', f[3], f[4] or '', f[5] or '', f[6] or ''} end
redis.call('HSET', KEYS[1], 'v', '1', 'rev', ARGV[4], 'settings', ARGV[1], 'limit', ARGV[3])
if ARGV[5] ~= '0' then redis.call('HSET', KEYS[1], 'rate', ARGV[5], 'burst', ARGV[6]) end
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'disabled', ARGV[2]) end
return {'created'}

-- Changes an endpoint, if it is still the one that was read, and releases what may run.
--
-- ARGV  7 the revision that was read  8 settings  9 reason it is disabled ('' enabled)
--       10 its own limit in flight (0 none)
-- Answer: {'updated', runs released {{event, run, queue}, …}}; {'changed'}: another revision stands,
--         that of this command, if the client sent it twice, too; {'gone'}: no such endpoint, or a deleted one.
-- Cost: as release.
local ep = endpoint()
if ep.gone then return {'gone'} end
if ep.rev ~= ARGV[7] then return {'changed'} end
-- First, so that a full Redis does not refuse what follows: disabling must always be possible.
redis.call('HDEL', ENDPOINT, 'disabledAt') -- the settings have a time of their own now
redis.call('HSET', ENDPOINT, 'settings', ARGV[8], 'limit', ARGV[10])
if ARGV[9] ~= '' then
  redis.call('HSET', ENDPOINT, 'disabled', ARGV[9])
else
  redis.call('HDEL', ENDPOINT, 'disabled')
end
raise(ep)
return {'updated', release(endpoint())}

-- Puts an endpoint's settings, the same but sealed anew, in place of those that were read. Nothing
-- else of it changes, its revision neither: who holds it as it was holds the same. Nothing is released.
--
-- ARGV  7 the revision that was read  8 settings
-- Answer: 'moved'; 'changed': another revision stands; 'gone': no such endpoint, or a deleted one.
-- Cost: O(1).
local ep = endpoint()
if ep.gone then return 'gone' end
if ep.rev ~= ARGV[7] then return 'changed' end
redis.call('HSET', ENDPOINT, 'settings', ARGV[8])
return 'moved'

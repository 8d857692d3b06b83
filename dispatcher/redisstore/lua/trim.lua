-- Drops the first entries of a stream.
--
-- KEYS  1 stream
-- ARGV  1 entries before this go, ms  2 how many at most; a few more, when they stand in one node of the stream
-- Answer: {how many went, 1 if there may be others, id of the first that is left ('' none)}
-- Cost: O(those that went).
local went = redis.call('XTRIM', KEYS[1], 'MINID', '~', ARGV[1], 'LIMIT', ARGV[2])
local more = went > 0 and 1 or 0
if went == 0 then went = redis.call('XTRIM', KEYS[1], 'MINID', '=', ARGV[1]) end -- all in one node
local first = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', 1)
return {went, more, first[1] and first[1][1] or ''}

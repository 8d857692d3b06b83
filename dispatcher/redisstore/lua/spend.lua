-- Takes a token of the endpoint's rate limit for what is sent beside its line.
--
-- ARGV  7 how long to wait for it at most, ms
-- Answer: how long, ms; '' when that is not enough.
-- Cost: O(1).
local wait = spend(endpoint(), tonumber(ARGV[7]))
return wait and ms(wait) or ''

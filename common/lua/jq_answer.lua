-- Answer a remote control request where its sender is still there: kombu binds
-- its list to the exchange as long as it listens.
-- KEYS: bindings of the exchange, list. ARGV: binding, message, ttl_s, most
-- Returns 1; 0: nobody waits, or too many answers lie there already.
if redis.call('SISMEMBER', KEYS[1], ARGV[1]) == 0
    or redis.call('LLEN', KEYS[2]) >= tonumber(ARGV[4]) then
  return 0
end
redis.call('LPUSH', KEYS[2], ARGV[2])
redis.call('EXPIRE', KEYS[2], ARGV[3])
return 1

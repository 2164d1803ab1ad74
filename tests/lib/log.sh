# shellcheck shell=sh
# Logs for the tests of msa-log. ISC licence, see LICENSE.

# A morning of a small service, as rsyslog writes it: one message to two recipients, one of whom waits in the spool; a
# wrong password; a session with a message that limit refuses and one that the next hop refuses.
log_morning() {
	sed 's/^\([0-9:.]*\) \([a-z-]*\): /2026-11-30T\1Z mail \2[812]: /' <<'END'
02:33:21.000 authd: 1ngsr3haaaaaaa authenticated user=alice@example.net mech=PLAIN label=phone ip=192.0.2.7 tls=TLSv1.3
02:33:22.100 limit: 1ngsr3haaaaaaa/1ngsr3jbbbbbbb done who=alice@example.net rcpts=2
02:33:22.110 qualify: 1ngsr3haaaaaaa/1ngsr3jbbbbbbb done user=alice@example.net added=Date ms=1 msgid=<1@client>
02:33:22.150 smtp-inject: 1ngsr3haaaaaaa/1ngsr3jbbbbbbb reached rcpt=bob@example.org reply="250 2.0.0 Ok: queued as 84A30A80678"
02:33:22.151 smtp-inject: 1ngsr3haaaaaaa/1ngsr3jbbbbbbb reached rcpt=carol@example.org reply="250 2.0.0 Ok: queued as 84A30A80678"
02:33:22.152 smtp-inject: 1ngsr3haaaaaaa/1ngsr3jbbbbbbb done to=relay.example.org:25 rcpts=2 accepted=2 ms=40 code=250
02:33:22.155 submitd: 1ngsr3haaaaaaa/1ngsr3jbbbbbbb accepted user=alice@example.net mech=PLAIN ip=192.0.2.7 tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 rcpts=2 size=2048 code=250 ms=60 from=alice@example.net
02:33:23.000 tlsd: 1ngsr3haaaaaaa done tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 in=2422 out=360 ms=2100 peer=192.0.2.7
02:34:00.000 authd: 1ngsr4rccccccc refused user=alice@example.net mech=LOGIN reason="wrong password" ip=203.0.113.9 tls=TLSv1.2
02:34:00.100 tlsd: 1ngsr4rccccccc done tls=TLSv1.2 cipher=ECDHE-RSA-AES256-GCM-SHA384 in=60 out=226 ms=158 peer=203.0.113.9
02:34:30.000 tlsd: 1ngsr5pddddddd handshake peer=198.51.100.3 reason="no shared cipher"
02:35:00.000 authd: 1ngsr6meeeeeee authenticated user=dave@example.net mech=PLAIN label=main ip=192.0.2.8 tls=TLSv1.3
02:35:01.000 limit: 1ngsr6meeeeeee/1ngsr6nffffff1 refused who=dave@example.net why="Too many recipients, try again later"
02:35:01.001 submitd: 1ngsr6meeeeeee/1ngsr6nffffff1 refused user=dave@example.net mech=PLAIN ip=192.0.2.8 tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 rcpts=200 size=1000 code=450 ms=2 from=dave@example.net reason="4.7.1 Too many recipients, try again later"
02:35:02.000 limit: 1ngsr6meeeeeee/1ngsr6pffffff2 done who=dave@example.net rcpts=1
02:35:02.002 smtp-inject: 1ngsr6meeeeeee/1ngsr6pffffff2 refused rcpt=nobody@example.org reply="550 5.1.1 User unknown"
02:35:02.003 smtp-inject: 1ngsr6meeeeeee/1ngsr6pffffff2 done to=relay.example.org:25 rcpts=1 accepted=0 ms=7 code=550
02:35:02.004 submitd: 1ngsr6meeeeeee/1ngsr6pffffff2 refused user=dave@example.net mech=PLAIN ip=192.0.2.8 tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 rcpts=1 size=900 code=550 ms=9 from=dave@example.net reason="5.1.1 User unknown"
02:35:03.000 tlsd: 1ngsr6meeeeeee done tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 in=3000 out=500 ms=3050 peer=192.0.2.8
02:36:00.000 authd: 1ngsr8gggggggg penalty reason="too many wrong passwords" net=203.0.113.0/24 failures=60 ip=203.0.113.9
02:36:01.000 authd: 1ngsr8hhhhhhhh rejected verb=MAIL code=530 reason="Authentication required" ip=192.0.2.9 tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384
02:36:02.000 authd: - suppressed lines=12
02:37:00.000 spool: 1ngsra4jjjjjjj/1ngsra5kkkkkkk spooled rcpt=erin@example.org reply="250 2.0.0 Queued"
02:37:00.001 spool: 1ngsra4jjjjjjj/1ngsra5kkkkkkk done to=/var/spool/msa rcpts=1 accepted=1 ms=3 code=250
02:37:00.002 submitd: 1ngsra4jjjjjjj/1ngsra5kkkkkkk accepted user=alice@example.net mech=PLAIN ip=192.0.2.7 tls=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 rcpts=1 size=1024 code=250 ms=5 from=alice@example.net
02:37:01.000 smtp-inject: 1ngsra4jjjjjjj/1ngsra5kkkkkkk failed to=relay.example.org:25 at=connect reason="Connection refused"
02:37:01.001 smtp-inject: 1ngsra4jjjjjjj/1ngsra5kkkkkkk done to=relay.example.org:25 rcpts=1 accepted=0 ms=1 code=451
02:37:01.002 spoold: 1ngsra4jjjjjjj/1ngsra5kkkkkkk deferred id=1x7k2a rcpt=erin@example.org reply="451 4.4.1 Next server cannot be reached, try again later"
02:52:01.000 smtp-inject: 1ngsra4jjjjjjj/1ngsra5kkkkkkk reached rcpt=erin@example.org reply="250 2.0.0 Ok: queued as 99F00A80678"
02:52:01.001 smtp-inject: 1ngsra4jjjjjjj/1ngsra5kkkkkkk done to=relay.example.org:25 rcpts=1 accepted=1 ms=30 code=250
02:52:01.002 spoold: 1ngsra4jjjjjjj/1ngsra5kkkkkkk reached id=1x7k2a rcpt=erin@example.org reply="250 2.0.0 Ok: queued as 99F00A80678"
END
}

# The same without what a logger adds. usage: log_morning | log_bare
log_bare() {
	sed 's/^[^ ]* mail \([a-z-]*\)\[812\]: /\1: /'
}

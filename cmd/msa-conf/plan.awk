# The plan of msa-conf(8): from the chain, a line of words, to rows whose fields have a unit separator (037) between.
#   S id program kind user callers words next flags places   a service
#   X name words                                             a script with the whole chain (style=tcpserver)
#   D path user mode                                         a directory that a stage writes to
#   T kind path                                              a table that must be there
#   O path                                                   the file of what the next hop offers
#   E                                                        a stage encodes what the next hop does not take
# ISC licence, see LICENSE.
# Options that take an argument are followed by a colon, as for getopt(3); those of a resident are added. An operand is
# an argument that comes after the options. "end" stages have no next program.
function stage(name, kind, letters, operands) { kinds[name] = kind; options[name] = letters; operand[name] = operands }
function fail(text) { print "chain, line " line ": " text > "/dev/stderr"; failed = 1; exit 100 }
function quote(word) {
	if (word ~ /^[A-Za-z0-9_@+=:,.\/-]+$/) return word
	if (quoting == "systemd") {
		gsub(/\\/, "\\\\", word); gsub(/"/, "\\\"", word); gsub(/%/, "%%", word); gsub(/\$/, "$$", word)
		return "\"" word "\""
	}
	gsub(/'/, "'\\''", word)
	return "'" word "'"
}
# The words of a line, into w; returns their number.
function split_line(text,    n, c, in_word, q, i) {
	n = 0; in_word = 0; q = ""
	for (i = 1; i <= length(text); i++) {
		c = substr(text, i, 1)
		if (q != "") { if (c == q) q = ""; else w[n] = w[n] c; continue }
		if (c == " " || c == "\t") { in_word = 0; continue }
		if (!in_word) { w[++n] = ""; in_word = 1 }
		if (c == "'" || c == "\"") q = c
		else w[n] = w[n] c
	}
	if (q != "") fail("a quote is not closed")
	return n
}
function service_name(word) {
	sub(/.*\//, "", word); sub(/\.[a-z]*$/, "", word); word = tolower(word); gsub(/[^a-z0-9-]/, "-", word)
	return word == "" ? "program" : word
}
function user_of(name,    short) {
	short = name
	if (short == "tlsd" || short == "tlsd-implicit") short = "tls"
	else if (short == "authd" || short == "submitd") sub(/d$/, "", short)
	else if (short == "spoold") short = "spool"
	else if (short ~ /-inject$/) short = "inject"
	if (name in other) return other[name]
	if (short == "spool" && ("spool" in other)) return other["spool"]
	if (users == "") return ""
	return users short
}
# Take the options of stage s from w[p] on. They go to S_words; what they mean is looked at here.
function take_options(s, word,    letters, text, i, c, at, arg) {
	letters = options[word] (word == "tlsd" || word == "spoold" ? "" : "A:C:P:")
	while (p <= n && w[p] ~ /^-./) {
		text = w[p]
		if (text == "--") { p++; break }
		for (i = 2; i <= length(text); i++) {
			c = substr(text, i, 1)
			if (word != "spoold" && index("lRU", c)) fail(word ": msa-conf sets -" c " itself")
			if (word == "spoold" && index("RU", c)) fail(word ": msa-conf sets -" c " itself")
			at = index(letters, c)
			if (c == ":" || !at) fail(word ": unknown option -" c)
			seen[s, c] = 1
			if (substr(letters, at + 1, 1) != ":") continue
			if (i < length(text)) arg = substr(text, i + 1)
			else if (p == n) fail(word ": -" c " needs an argument")
			else arg = w[p + 1]
			value[s, c] = arg
			if (i == length(text)) { add(s, text); text = w[++p] }
			break
		}
		add(s, text); p++
	}
}
function add(s, word) { own[s] = join(own[s], quote(word)) }
function directory(path, user, mode) { if (!made[path]++) print "D" us path us user us mode }
# A stage that inline runs in its process, or a program in a command, is a part of the words of stage h.
function absorb(h, s) {
	if (!site[s]) own[h] = join(own[h], prog[s])
	own[h] = join(own[h], own[s]); head[s] = h; user[s] = user[h]
}
function join(a, b) { return a == "" ? b : b == "" ? a : a " " b }
# One chain, w[p..n]. Its first stage is called label, or by its word.
function chain(label,    first, s, h, word, before, name, message) {
	first = 1; before = h = 0; message = label != ""
	while (p <= n) {
		word = w[p]
		if (word == "msa") { p++; continue }
		if (word == "call") {
			if (p + 1 != n) fail("call: one path, and nothing after it")
			if (!before) fail("call: no stage in front of it")
			outside[before] = w[n]; p = n + 1
			if (h) own[h] = join(own[h], "call " quote(w[n]))
			return
		}
		s = ++count; at_line[s] = line; own[s] = ""; prog[s] = word
		if (word == "inline") {
			if (h || w[p + 1] != "submitd") fail("inline: it stands once, directly in front of submitd")
			p++; word = "submitd"; prog[s] = "inline submitd"
		}
		name = label != "" && first ? label : service_name(word)
		if (word in kinds) {
			p++
			if (kinds[word] == "session" && message) fail(word ": a stage of a connection, behind submitd or in a chain with a name")
			if (kinds[word] != "session" && kinds[word] != "any" && !message) fail(word ": a stage of a message, and submitd is not in front of it")
			if (word == "spoold" && !first) fail("spoold: it begins a line of its own")
			if (word == "tlsd" && !first) fail("tlsd: it is the first word of its line")
			take_options(s, word)
			if (operand[word]) {
				if (p > n) fail(word ": an argument is missing at the end")
				place[s] = w[p]; add(s, w[p++])
			}
			if (word == "smtp-inject") while (p <= n) add(s, w[p++])
			if (word == "resume") {
				if (p > n && !seen[s, "x"]) fail(word ": a program is missing at the end")
				while (p <= n) add(s, w[p++])
				ended[s] = 1
			}
			if (kinds[word] == "end") {
				if (p <= n) fail(word ": it delivers, so nothing can follow: '" w[p] "'")
				ended[s] = 1
			}
			if ((word == "rights" || word == "policy") && seen[s, "n"]) {
				if (p <= n) fail(word ": with -n it answers, so nothing can follow: '" w[p] "'")
				if (label != "") ended[s] = 1
			}
			if (word == "submitd" || word == "spoold") message = 1
		} else {
			if (word ~ /^-/) fail((before ? prog[before] : "the first word") ": " word " is an option where a stage should be")
			if (word ~ /\// && word !~ /^\//) fail(word ": not an absolute path: services do not start where you are")
			site[s] = 1; prog[s] = "resident" (message ? "" : " -s")
			do add(s, w[p++]); while (p <= n && !(w[p] in kinds) && w[p] != "call" && w[p] != "inline" && w[p] != "msa")
			if (p > n) ended[s] = 1
		}
		kind[s] = word
		if (first && label == "" && word != "spoold" && word != "tlsd") fail("the chain begins with " word " and not with tlsd")
		if (h) absorb(h, s)
		else {
			if (++times[name] > 1) name = name "-" times[name]
			id[s] = name; user[s] = user_of(name)
			if (before) { next_of[before] = s; callers[s] = user[before] }
			else labelled[s] = label
		}
		if (prog[s] == "inline submitd") h = s
		before = s; first = 0
	}
	if (!before) fail("no words")
	if (!ended[before]) fail(prog[before] ": it is the last word, and a chain ends with lmtp-inject, smtp-inject, maildir-inject, spool, resume or a program of yours")
}
BEGIN {
	us = sprintf("%c", 31)
	stage("tlsd", "session", "a:c:e:G:g:ik:m:n:O:oP:p:q:r:s:t:v:x:y:", 0)
	stage("authd", "session", "a:c:D:d:eFG:g:Hk:M:m:O:o:pr:S:s:t:u:", 0); stage("submitd", "session", "bD:d:e:L:r:S:T:t:w:", 0)
	stage("resume", "session", "pt:x:", 0); stage("trace", "any", "mv", 0)
	stage("qualify", "message", "c:d:k:ms:u:D:t:", 0); stage("rights", "message", "g:m:nq:Q:s:t:", 0)
	stage("limit", "message", "a:d:m:npq:r:t:w:", 0); stage("stamp", "message", "ps", 0)
	stage("route", "message", "d:q:t:", 0); stage("bounce", "message", "df:k:q:", 0)
	stage("copy", "message", "q:t:", 0); stage("rewrite", "message", "c:d:q:r:s:t:", 0)
	stage("encode", "message", "c:k:", 0)
	stage("encrypt", "message", "ack:", 0); stage("dkim-sign", "message", "iq:rt:x:", 0)
	stage("filter", "message", "t:u", 1); stage("policy", "message", "c:nps:t:", 1)
	stage("milter", "message", "D:d:pq:t:", 1); stage("callerid", "message", "d:", 0)
	stage("record", "session", "c", 1)
	stage("lmtp-inject", "end", "i:sSa:c:F:f:h:kno:r:t:", 1); stage("smtp-inject", "end", "I:impa:c:F:f:h:kno:r:t:", 1)
	stage("maildir-inject", "end", "f:nr:", 1); stage("spool", "end", "fm:p", 1)
	stage("spoold", "any", "a:b:df:g:k:n:q:r:t:w:", 1)
	for (i = split(others, pair, " "); i > 0; i--) {
		name = pair[i]; sub(/=.*/, "", name); sub(/^[^=]*=/, "", pair[i]); other[name] = pair[i]
	}
}
{
	if (!more) { line = NR; text = "" }
	if (!more && /^[ \t]*(#|$)/) next
	more = /\\$/
	sub(/\\$/, "")
	text = text " " $0
	if (more) next
	n = split_line(text); p = 1; label = ""
	if (w[1] ~ /:$/) {
		label = w[1]; sub(/:$/, "", label); p = 2
		if (label !~ /^[a-z][a-z0-9-]*$/) fail("the name " w[1] " is not small letters, digits and -")
	} else if (w[1] != "spoold" && mains++) fail("a second chain needs a name, NAME: words")
	chain(label)
}
END {
	if (failed) exit 100
	if (more) fail("the last line ends with a backslash")
	if (!mains) { print "chain: there is no line that begins with tlsd" > "/dev/stderr"; exit 100 }
	for (s = 1; s <= count; s++) {
		if (kind[s] == "tlsd") { early = seen[s, "e"] ? value[s, "e"] : 500; most = seen[s, "m"] ? value[s, "m"] : 1000 }
		if (kind[s] == "route" || kind[s] == "spoold" || kind[s] == "submitd")
			if (user[s] != "" && !index(" " any " ", " " user[s] " ")) any = join(any, user[s])
	}
	fronts = (port != "") + (port_tls != "")
	learn()
	if (style == "tcpserver") { exec_form(); exit }
	for (s = 1; s <= count; s++) {
		h = (s in head) ? head[s] : s
		where = writes(s)
		if (where != "") { directory(where, owner_of(s), mode_of(s)); written[h] = join(written[h], where) }
		# Secrets are root's: the parent reads them and its workers take the user (-U). A unit that has the network too
		# is better off without root.
		if (kind[s] == "tlsd" || kind[s] == "dkim-sign" || kind[s] == "authd" && (seen[s, "u"] || seen[s, "c"] || seen[s, "g"]) ||
		    style != "systemd" && seen[s, "a"] && kind[s] ~ /^limit$|-inject$/) flags[h] = flags[h] " root"
		if (site[s] || kind[s] == "filter" || kind[s] == "resume" || kind[s] == "authd" && (seen[s, "s"] || seen[s, "k"]) ||
		    kind[s] == "rewrite" && seen[s, "c"] ||
		    kind[s] ~ /^(lmtp-inject|smtp-inject|milter|policy)$/ && place[s] !~ /\// ||
		    is_shared(s) && value[s, "d"] !~ /\//) flags[h] = flags[h] " network"
		if (seen[s, "A"]) flags[h] = flags[h] " open"
	}
	for (s = 1; s <= count; s++) {
		if (s in head) continue
		if (labelled[s] != "") callers[s] = any
		if (kind[s] == "tlsd") {
			if ((seen[s, "i"] || seen[s, "o"]) && fronts == 2) {
				line = at_line[s]
				fail("tlsd: with -i or -o there is one port: leave the other one empty in settings")
			}
			add_front(s, "e", "-e 500"); add_front(s, "m", "-m 1000")
		}
		if (kind[s] == "authd") add_front(s, "P", "-P 1:" least(fronts * early + 100, 10000))
		if (kind[s] == "submitd") add_front(s, "P", "-P 1:" least(fronts * most, 10000))
		if (kind[s] ~ /-inject$/) add_front(s, "P", "-P 1:20")
		goes = (s in next_of) ? run "/" id[next_of[s]] "/socket" : (s in outside) ? outside[s] : ""
		print "S" us id[s] us prog[s] us kind[s] us user[s] us callers[s] us own[s] us goes us flags[s] us written[s]
	}
	tables()
}
# encode has to know what the next hop offers by itself: MSA_EHLO has what encode can do, too.
function learn(    s, h, file, several) {
	for (s = 1; s <= count; s++)
		if (kind[s] ~ /^(lmtp|smtp)-inject$/ && seen[s, "o"]) {
			if (file != "" && file != value[s, "o"]) several = 1
			file = value[s, "o"]
		}
	for (s = 1; s <= count; s++)
		if (kind[s] == "encode") {
			print "E"
			h = (s in head) ? head[s] : s
			if (seen[s, "k"] || file == "" || several) continue
			if (h == s) own[s] = join("-k " quote("@" file), own[s])
			else sub(/(^| )encode( |$)/, "&-k " quote("@" file) " ", own[h])
		}
}
function least(a, b) { return a < b ? a : b }
# An option that msa-conf gives if the line does not. usage: add_front(stage, letter, text)
function add_front(s, letter, text) { if (!seen[s, letter]) own[s] = join(text, own[s]) }
# limit keeps its counts in a server of Redis.
function is_shared(s) { return kind[s] == "limit" && index(value[s, "d"], "redis:") == 1 }
# The table of penalties is opened by root, before a stage takes its user, so that several users share it.
function owner_of(s) { return kind[s] ~ /^(tlsd|authd)$/ ? "" : user[s] }
# The directory that a stage writes to, or nothing.
function writes(s,    path) {
	if (kind[s] ~ /^(tlsd|authd)$/) return value[s, "g"]
	if (kind[s] == "limit") return is_shared(s) ? "" : value[s, "d"]
	if (kind[s] ~ /^(lmtp|smtp)-inject$/ && seen[s, "o"]) {
		path = value[s, "o"]; sub(/\/[^\/]*$/, "", path)
		return path
	}
	return kind[s] == "spool" || kind[s] == "spoold" || kind[s] == "maildir-inject" || kind[s] == "record" ? place[s] : ""
}
# tlsd reads the offers that an injector writes; everything else is for its stage alone.
function mode_of(s) { return kind[s] ~ /^(lmtp|smtp)-inject$/ ? 755 : 700 }
function tables() {
	for (s = 1; s <= count; s++) {
		if (kind[s] ~ /^(lmtp|smtp)-inject$/ && seen[s, "o"]) print "O" us value[s, "o"]
		if (kind[s] == "authd" && seen[s, "u"]) print "T" us "users" us value[s, "u"]
		if (kind[s] ~ /^(rights|rewrite)$/ && seen[s, "s"]) print "T" us "empty" us value[s, "s"]
		if (kind[s] ~ /^(copy|dkim-sign|rewrite|rights)$/ && seen[s, "t"]) print "T" us "empty" us value[s, "t"]
		if (kind[s] == "route" && seen[s, "t"]) print "T" us "routes" us value[s, "t"]
	}
}
# All stages of a connection in one command: one user for tlsd, one for the rest.
function exec_form(    out, s) {
	together = users; sub(/-$/, "", together)
	for (s = 1; s <= count; s++) {
		if (labelled[s] != "") { line = at_line[s]; fail("a chain with a name needs resident stages, which style=tcpserver does not have") }
		if (kind[s] == "spoold") {
			if (out != "") { script("submission", out); out = "" }
			spooled = s
		}
		if (writes(s) != "") directory(writes(s), owner_of(s) == "" ? "" : together, mode_of(s))
		if (s in head) continue
		word = site[s] ? "" : prog[s]
		if (users != "" && kind[s] == "tlsd") word = word " -U " users "tls"
		if (users != "" && (kind[s] == "authd" || kind[s] == "spoold")) word = word " -U " together
		out = out (out == "" ? "" : " \\\n\t") word (word == "" || own[s] == "" ? "" : " ") own[s]
		if ((s in outside) && !(s in head)) out = out " \\\n\tcall " quote(outside[s])
	}
	script(spooled ? "spoold" : "submission", out)
	tables()
}
function script(name, text) { gsub(/\n/, "\036", text); print "X" us name us text }

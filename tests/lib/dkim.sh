# shellcheck shell=sh
# For the tests of dkim-sign: keys, their records in the DNS, and its table.
# ISC licence, see LICENSE.

# The keys $T/rsa.pem and $T/ed.pem, and $T/dns, lines "selector._domainkey.example.net RECORD", made without dkim-sign.
dkim_keys() {
	openssl genrsa -out "$T/rsa.pem" 2048 2>/dev/null
	openssl genpkey -algorithm ed25519 -out "$T/ed.pem"
	chmod 600 "$T/rsa.pem" "$T/ed.pem"
	{
		printf 'rsa._domainkey.example.net v=DKIM1; k=rsa; p=%s\n' "$(openssl pkey -in "$T/rsa.pem" -pubout -outform DER | base64 -w 0)"
		printf 'ed._domainkey.example.net v=DKIM1; k=ed25519; p=%s\n' "$(openssl pkey -in "$T/ed.pem" -pubout -outform DER | tail -c 32 | base64 -w 0)"
	} >"$T/dns"
}

# The table $T/keys.cdb from lines "domain list". usage: dkim_table line ...
dkim_table() {
	printf '%s\n' "$@" | cdb -c -m -t "$T/keys.tmp" "$T/keys.cdb"
}

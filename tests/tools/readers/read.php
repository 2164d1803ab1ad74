<?php
// What Roundcube makes of the first From field.
// usage: php read.php directory-of-roundcube directory; reads directory/from, writes directory/roundcube.
// ISC licence, see LICENSE.
error_reporting(E_ERROR);
define('RCUBE_INSTALL_PATH', $argv[1] . '/');
require $argv[1] . '/program/lib/Roundcube/bootstrap.php';

function clean($text, $space)
{
	return preg_replace('/[\x00-\x1f\x7f]/', '?', preg_replace('/\s+/', $space, (string) $text));
}

$out = fopen($argv[2] . '/roundcube', 'w');
foreach (file($argv[2] . '/from') as $line) {
	[$id, $from] = json_decode($line);
	$boxes = rcube_mime::decode_address_list(mb_convert_encoding($from, 'ISO-8859-1', 'UTF-8'), null, true, 'UTF-8');
	$addresses = array_filter(array_map(fn ($box) => clean($box['mailto'], '?'), $boxes));
	$names = array_map(fn ($box) => clean($box['name'], ' '), $boxes);
	fwrite($out, "$id\t" . implode(' ', $addresses) . "\t" . trim(implode(' ', $names)) . "\n");
}

// What nodemailer's address parser makes of the first From field, and the older module addressparser.
// usage: node read.js directory; reads directory/from, writes directory/node-*. ISC licence, see LICENSE.
'use strict';
const fs = require('fs');
module.paths.push('/usr/share/nodejs');
const parsers = {
	'node-nodemailer': require('nodemailer/lib/addressparser'),
	'node-addressparser': require('addressparser')
};
const directory = process.argv[2];
const clean = (text, space) => String(text || '').replace(/\s+/g, space).replace(/[\u0000-\u001f\u007f-\u009f]/g, '?');

// a group's name is shown, and is no address
const flat = boxes => boxes.flatMap(box => box.group ? [{ name: box.name, address: '' }, ...flat(box.group)] : [box]);

for (const [name, parse] of Object.entries(parsers)) {
	const lines = fs.readFileSync(directory + '/from', 'utf8').trim().split('\n').map(line => {
		const [id, from] = JSON.parse(line);
		const boxes = flat(parse(Buffer.from(from, 'latin1').toString('utf8')));
		return [id, boxes.map(b => clean(b.address, '?')).filter(a => a).join(' '), boxes.map(b => clean(b.name, ' ')).join(' ').trim()].join('\t');
	});
	fs.writeFileSync(directory + '/' + name, lines.join('\n') + '\n');
}

// A server whose uploads are @tus/server's; the rest of what a box asks is the
// least that lets it go on. Prints its port, then {seq: sha256} on a line when
// its input ends.
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import http from 'node:http'
import { FileStore } from '@tus/file-store'
import { Server } from '@tus/server'

const [folder] = process.argv.slice(2)
const kept = new Map() // seq: what the box says of it
const sounds = new Map() // seq: sha256 of what came

const tus = new Server({
	path: '/api/v1/uploads',
	relativeLocation: true,
	datastore: new FileStore({ directory: folder }),
	async onUploadFinish(request, upload) {
		const bytes = await readFile(`${folder}/${upload.id}`)
		sounds.set(Number(upload.metadata.seq), createHash('sha256').update(bytes).digest('hex'))
		return {}
	},
})

async function body(request) {
	let text = ''
	for await (const part of request) text += part
	return text
}

function missing() {
	return [...kept.values()].filter(entry => entry.kind === 'snippet' && !sounds.has(entry.seq))
		.map(entry => entry.seq)
}

const routes = {
	'GET /box': () => ({ box: { id: '0', name: 'x' }, kept: kept.size, time_ns: Date.now() * 1e6,
		config: '"1"', snippets: { missing: missing() } }),
	'POST /box/entries': async request => {
		for (const line of (await body(request)).trim().split('\n')) {
			const entry = JSON.parse(line)
			kept.set(entry.seq, entry)
		}
		return { kept: kept.size, refused: [] }
	},
	'GET /box/config': () => ({ scheme: null, retention: { days_on_box: 30 }, planned: [] }),
	'POST /box/report': async request => (await body(request), {}),
}

const server = http.createServer(async (request, response) => {
	response.setHeader('Chalkbox-Server', 'tus')
	const path = request.url.split('?')[0].replace('/api/v1', '')
	if (path.startsWith('/uploads')) return tus.handle(request, response)
	const route = routes[`${request.method} ${path}`]
	const answer = route ? await route(request) : { error: 'nothing' }
	response.writeHead(route ? 200 : 404, { 'Content-Type': 'application/json' })
	response.end(JSON.stringify(answer))
})
server.listen(0, '127.0.0.1', () => console.log(server.address().port))
process.stdin.on('end', () => {
	console.log(JSON.stringify(Object.fromEntries(sounds)))
	process.exit(0)
}).resume()

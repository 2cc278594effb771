// tus-js-client brings a file: client.mjs URL TOKEN FILE JOURNAL SEQ SHA256, in
// pieces, over whatever cuts it.
import { createReadStream, statSync } from 'node:fs'
import { Upload } from 'tus-js-client'

const [endpoint, token, file, journal, seq, sha256] = process.argv.slice(2)
const upload = new Upload(createReadStream(file), {
	endpoint,
	uploadSize: statSync(file).size,
	chunkSize: 50_000,
	retryDelays: Array(40).fill(10),
	headers: { Authorization: `Bearer ${token}` },
	metadata: { journal, seq, sha256 },
	onShouldRetry: () => true,
	onError: error => {
		console.error(String(error))
		process.exit(1)
	},
	onSuccess: () => process.exit(0),
})
upload.start()

// What does spider-rs take for the same site? Run as `node spider_peer.mjs FOLDER START PAGES.txt`.
//
// FOLDER is where npm installed it. It obeys robots.txt, follows every link of the site, and keeps
// the URLs in memory, which are written down at the end. `scrape`, which keeps the pages too, and
// `crawl` with a callback take twice as long and lose pages when the machine is busy.

import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'

const [folder, start, pages] = process.argv.slice(2)
const { Website } = createRequire(resolve(folder, 'package.json'))('@spider-rs/spider-rs')
const website = new Website(start).withRespectRobotsTxt(true).build()
await website.crawl()
writeFileSync(pages, website.getLinks().join('\n') + '\n')

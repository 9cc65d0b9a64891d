// What does spider-rs take for the same site? Run as `node spider_peer.mjs FOLDER START PAGES.txt`.
//
// FOLDER is where npm installed it. It obeys robots.txt, follows every link of the site, and keeps
// the pages in memory (`crawl` in place of `scrape` is faster, but nobody gets to see a page). At
// the end the URLs of the pages are written down.

import { writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { resolve } from 'node:path'

const [folder, start, list] = process.argv.slice(2)
const { Website } = createRequire(resolve(folder, 'package.json'))('@spider-rs/spider-rs')
const website = new Website(start).withRespectRobotsTxt(true).build()
await website.scrape()
const pages = website.getPages().filter((page) => page.statusCode === 200)
writeFileSync(list, pages.map((page) => page.url + '\n').join(''))

// The objects of the API, as /api/v1/openapi.json describes them. Times are ISO 8601 in UTC.

export interface Session { user: string, name: string, role: 'administrator' | 'none', csrf: string, language?: string, seq: number }

export interface List<T> { items: T[], next: string | null, total: number, more?: boolean }

export interface ImageProblem { reason: string, text: string, offset: number }

export interface ImageDescription {
  format: string | null
  chip: string | null
  size: number
  image_size: number
  entry: number
  segments: Array<{ address: number, size: number, offset: number }>
  slot: 'user1' | 'user2' | null
  flash: { mode: string | null, freq: string | null, size: string | null, map?: number }
  link: number | null
  home: number | null
  checksum?: Digest
  crc32?: Digest
  sha256?: Digest
  app: { version: string, project: string, idf_version: string, date: string, time: string } | null
  signatures: Array<{ scheme: string, offset: number, size: number }>
  covered: { bytes: number, ranges: Array<{ offset: number, size: number }> }
  ok: boolean
  problem: ImageProblem | null
}

export interface Digest { stored: string, computed: string, ok: boolean }

export interface FlashMap {
  map: number
  size: number
  limit: number
  regions: Array<{ name: string, address: number, size: number, within?: string }>
}

export type Role = 'administrator' | 'developer' | 'operator' | 'viewer'
export type Kind = 'nonos' | 'arduino' | 'otadrive' | 'idf' | 'rtos' | 'updraft'
export type Consent = 'automatic' | 'ask_download' | 'ask_reboot' | 'operator'
export type State = 'offered' | 'accepted' | 'declined' | 'downloading' | 'downloaded' | 'rebooting' | 'running' |
'confirmed' | 'failed' | 'cancelled' | 'rolled_back'

/** When a release will be where it is going, as far as its devices' habits tell. */
export interface Forecast {
  done: number
  expected: number
  silent: number
  unknown: number
  people: number
  refused: number
  per_hour: number
  half: string | null // null: they run it already, or nothing is expected
  most: string | null
  all: string | null
}

/** Why, by its code, with the values of its sentence in English. */
export interface Reason { code: string, text: string, detail?: Record<string, unknown> }
export interface Named { id: string, name: string }

export interface Product {
  id: string
  name: string
  kind: Kind
  chip: string
  map: number | null
  partition_table: string | null
  ptype: number | null
  key: string | null // for those who may paste it into a device
  consent: Consent
  strangers: 'refuse' | 'hold' | 'admit'
  reply_unknown: number
  reply_blocked: number
  channels: string[]
  created: string
  role: Role
  current: Record<string, string> // channel: version
  devices: number
  online: number
}

export interface Image {
  slot: 'user1' | 'user2' | 'app' | 'filesystem'
  variant: string
  sha256: string
  md5: string
  size: number
  description: ImageDescription | null
}

export interface Release {
  version: string
  channel: string
  letter: string | null // who may be upgraded how: o, l, a, n
  notes: string
  current: boolean
  withdrawn: boolean
  created: string
  images: Image[]
  devices: number // that run it
  updates: Partial<Record<State, number>>
  recent: number // devices that came to run it in the last hour
  failures?: Array<Reason & { count: number }>
}

export interface Step { state: State, time: string, cause: string, code: string | null, detail: Record<string, unknown>, inferred: boolean }

export interface Update {
  id: string
  device: Named
  product: Named
  version: string
  state: State
  reason: Reason | null
  inferred: boolean
  bytes: number
  size: number
  started: string
  changed: string
  steps?: Step[]
}

export interface Device {
  id: string
  name: string
  product: Named
  serial: string | null
  chip_id: string | null
  mac: string | null
  group: string
  owner: string | null
  version: string | null
  slot: string | null
  online: boolean
  last_seen: string | null
  blocked: boolean
  standing: 'new' | 'admitted' | 'blocked' | 'disabled'
  update: Update | null
}

export interface DevicePage extends Device {
  operates: boolean // whoever asks may
  device_key: string | null
  claim_code: string | null
  chip: string
  map: number | null
  flash_size: number | null
  address: string | null
  polls: { how: string, every: number | null, due: string | null } // seconds
  history: Update[]
}

export interface Decision {
  offer: boolean
  reason: Reason
  version: string | null
  rules: Array<{ rule: string, passed: boolean | null, text: string }>
}

export interface Overview {
  devices: number
  online: number
  products: number
  versions: Array<{ product: Named, version: string, devices: number }>
  history: { times: string[], series: Array<{ name: string, counts: number[] }> }
  updates: Partial<Record<State, number>>
  failures: Array<Reason & { count: number }>
  attention: Array<{ kind: 'new' | 'consent' | 'silent' | 'failing', count: number, product: Named | null }>
}

export interface Member { user: string, name: string, role: Exclude<Role, 'administrator'> }
export interface User { id: string, name: string, role: 'administrator' | 'none', created: string, last_login: string | null, disabled: boolean }
export interface Token { id: string, name: string, created: string, last_used: string | null, expires: string | null, token?: string }
export interface AuditRow { seq: number, time: string, who: string, what: string, object: string, before: unknown, after: unknown }
export interface Audit { items: AuditRow[], next: string | null, total: number, chain: { ok: boolean, checked: number, broken_at: number | null } }
export interface Server { version: string, started: string, addresses: Record<string, string>, devices: number, setup: boolean, simulator: boolean, simulating: boolean }

/** What the owner of a device is told. */
export interface OwnedDevice {
  id: string
  name: string
  version: string | null
  online: boolean
  last_seen: string | null
  offer: { update: string, version: string, notes: string, question: 'download' | 'reboot', postponed: string | null } | null
  update: { state: State, bytes: number, size: number, version: string, reason: Reason | null } | null
}

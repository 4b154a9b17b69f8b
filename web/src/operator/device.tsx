// One device: who it is, what it runs, how its update goes, and why it gets no other.
import { useSignal } from '@preact/signals'
import type { JSX } from 'preact'
import { useEffect } from 'preact/hooks'
import { api, path } from '../shared/api.ts'
import { bytes, t, time, word } from '../shared/i18n.ts'
import { flashMap } from '../shared/inspect.ts'
import { Action, Await, AwaitPage, failure, Form, going, Progress, say, stateColour, Title, useDownload, useServer, useWatch, When } from '../shared/parts.tsx'
import { go } from '../shared/router.ts'
import { Said } from '../shared/said.tsx'
import type { Decision, DevicePage, FlashMap, Step, Update } from '../shared/types.ts'
import { Standing } from './devices.tsx'
import { FlashDrawing } from './flashmap.tsx'
import { UpdateTable } from './updates.tsx'

const Cause = ({ step }: { step: Step }): JSX.Element => <Said group="cause" code={step.code} detail={step.detail} text={step.cause} />

/** An update as the line of its steps, with their times and causes. */
function Steps ({ steps }: { steps: Step[] }): JSX.Element {
  return (
    <ol class="steps">
      {steps.map((step, i) => {
        const colour = stateColour(step.state)
        const last = i + 1 === steps.length
        return (
          <li key={`${step.state} ${step.time}`} class={colour === 'bad' ? 'bad' : last && colour === 'busy' ? 'now' : 'done'} aria-current={last ? 'step' : undefined}>
            <strong>{word('state', step.state)}</strong>
            <time dateTime={step.time}>{time(step.time)}</time>
            <small><Cause step={step} /></small>{step.inferred && <small>({t('inferred')})</small>}
          </li>)
      })}
    </ol>
  )
}

function Why ({ id }: { id: string }): JSX.Element {
  const decision = useServer<Decision>(path`/devices/${id}/decision`, change => (change.device === id && change.kind !== 'device.heard') || change.kind.startsWith('release') || change.kind.startsWith('product'))
  return (
    <section class="card">
      <h2>{t('why')}</h2>
      <Await from={decision}>{found => <>
        <p class={`notice ${found.offer ? 'good' : ''}`}><Said group="why.text" {...found.reason} /></p>
        <table class="tight">
          <thead><tr><th scope="col">{t('rule')}</th><th scope="col">{t('result')}</th></tr></thead>
          <tbody>{found.rules.map(rule => <tr key={rule.rule}><td>{word('rule.text', rule.rule)}</td><td>
            <span class={`badge ${rule.passed === true ? 'good' : rule.passed === false ? 'bad' : ''}`}>{rule.passed === true ? t('rule.passed') : rule.passed === false ? t('rule.failed') : t('rule.unasked')}</span>
          </td></tr>)}</tbody>
        </table>
      </>}</Await>
    </section>
  )
}

function Request ({ id }: { id: string }): JSX.Element {
  const answer = useSignal<string | null>(null)
  return (
    <section class="card">
      <h2>{t('rpc')}</h2>
      <p class="soft">{t('rpc.text')}</p>
      <Form label={t('rpc.send')} submit={async data => {
        const parameters = Object.fromEntries(new URLSearchParams(data.parameters))
        answer.value = JSON.stringify(await api.post(path`/devices/${id}/rpc`, { action: data.action, ...parameters }), null, 2)
      }}>
        <label><span>action</span><input name="action" required list="actions" class="mono" autocomplete="off" /></label>
        <datalist id="actions"><option value="sys_reboot" /><option value="sys_upgrade" /></datalist>
        <label><span>{t('rpc.parameters')}</span><input name="parameters" class="mono" placeholder="version=v1.0.1" autocomplete="off" /></label>
      </Form>
      {answer.value !== null && <pre role="status" tabIndex={0} aria-label={t('rpc.answer')}>{answer.value}</pre>}
    </section>
  )
}

function CurrentUpdate ({ update, operates }: { update: Update, operates: boolean }): JSX.Element {
  const over = !going.includes(update.state)
  const end = update.steps?.at(-1)
  return (
    <section class="card">
      <h2>{t(over ? 'update.last' : 'update.to', { version: update.version })}</h2>
      {update.steps !== undefined && <Steps steps={update.steps} />}
      {update.reason !== null && <p class="notice bad">{failure(update.reason)}{end !== undefined && <><br /><small><Cause step={end} /></small></>}</p>}
      {update.state === 'downloading' && <Progress done={update.bytes} of={update.size} label={t('update.to', { version: update.version })} />}
      {operates && !over && <Action class="danger" run={async () => await api.delete(path`/updates/${update.id}`)} done={word('state', 'cancelled')}>{t('update.cancel')}</Action>}
    </section>
  )
}

/** What became of the update before: what it ended with is most of what a person wants to know. */
function LastUpdate ({ id }: { id: string }): JSX.Element {
  const update = useServer<Update>(path`/updates/${id}`)
  return <Await from={update}>{one => <CurrentUpdate update={one} operates={false} />}</Await>
}

export function Device ({ id }: { id: string }): JSX.Element {
  const device = useServer<DevicePage>(path`/devices/${id}`, change => change.device === id)
  useWatch([id])
  useDownload(device.value?.update?.state === 'downloading', device.reload)
  const map = useSignal<FlashMap | null>(null)
  const number = device.value?.map ?? null
  useEffect(() => {
    if (number !== null) flashMap(number).then(found => { map.value = found }, () => {}) // without the drawing if need be
  }, [number])
  const base = path`/devices/${id}`
  return (
    <AwaitPage from={device}>{one => (
      <>
        <Title>{one.name}</Title>
        <div class="row">
          <span class={`badge ${one.online ? 'good' : ''}`}>{one.online ? t('online') : t('offline')}</span>
          <Standing device={one} />
          {one.operates && <>
            {one.standing === 'new'
              ? <Action class="primary" run={async () => await api.post(`${base}/block`, { blocked: false })} done={t('admitted')}>{t('admit')}</Action>
              : <Action class="primary" run={async () => await api.post(`${base}/update`)} done={t('update.ordered')}>{t('update.now')}</Action>}
            <Action confirm={t('reboot.ask', { name: one.name })} run={async () => await api.post(`${base}/reboot`)} done={t('reboot.sent')}>{t('reboot')}</Action>
            <Action class="danger" run={async () => await api.post(`${base}/block`, { blocked: !one.blocked })}>{one.blocked ? t('unblock') : t('block')}</Action>
          </>}
        </div>
        {one.update !== null
          ? <CurrentUpdate update={one.update} operates={one.operates} />
          : one.history[0] !== undefined && <LastUpdate id={one.history[0].id} />}
        <div class="cards">
          <div>
          <section class="card">
            <h2>{t('identity')}</h2>
            <dl class="facts">
              <dt>{t('product')}</dt><dd><a href={`/products/${one.product.id}`}>{one.product.name}</a></dd>
              {one.serial !== null && <><dt>{t('serial')}</dt><dd class="mono">{one.serial}</dd></>}
              {one.chip_id !== null && <><dt>{t('chip.id')}</dt><dd class="mono">{one.chip_id}</dd></>}
              {one.mac !== null && <><dt>MAC</dt><dd class="mono">{one.mac}</dd></>}
              {one.device_key !== null && <><dt>{t('device.key')}</dt><dd class="mono">{one.device_key}</dd></>}
              {one.claim_code !== null && <><dt>{t('claim.code')}</dt><dd><a class="mono" href={`/app?claim=${encodeURIComponent(one.claim_code)}`}>{one.claim_code}</a></dd></>}
              <dt>{t('version')}</dt><dd>{one.version ?? t('unknown')}{one.slot !== null && ` (${one.slot})`}</dd>
              <dt>{t('owner')}</dt><dd>{one.owner ?? t('none')}</dd>
              {one.address !== null && <><dt>{t('address')}</dt><dd class="mono">{one.address}</dd></>}
              <dt>{t('last.seen')}</dt><dd><When at={one.last_seen} /></dd>
              <dt>{t('polls')}</dt><dd>{one.polls.how}{one.polls.every !== null && `, ${t('polls.every', { count: Math.round(one.polls.every) })}`}{one.polls.due !== null && <>, {t('polls.due')} <When at={one.polls.due} /></>}</dd>
            </dl>
          </section>
          {one.operates && <>
          <section class="card">
            <h2>{t('change')}</h2>
            <Form label={t('save')} submit={async data => { await api.patch(base, { name: data.name, group: data.group }); say(t('saved')) }}>
              <label><span>{t('name')}</span><input name="name" required maxLength={100} defaultValue={one.name} /></label>
              <label><span>{t('group')}</span><input name="group" maxLength={100} defaultValue={one.group} /></label>
            </Form>
          </section>
          <Request id={id} />
          </>}
          </div>
          <Why id={id} />
        </div>
        {map.value !== null && <section class="card below"><h2>{t('flash')}</h2>
          <FlashDrawing map={map.value} slot={one.slot} />{one.flash_size !== null && <p class="soft">{bytes(one.flash_size)}</p>}</section>}
        <section class="card below"><h2>{t('history')}</h2><UpdateTable list={one.history} /></section>
        {one.operates && <div class="row end below"><Action class="danger" confirm={t('device.delete.ask', { name: one.name })} run={async () => { await api.delete(base); go('/devices') }}>{t('device.delete')}</Action></div>}
      </>)}
    </AwaitPage>
  )
}

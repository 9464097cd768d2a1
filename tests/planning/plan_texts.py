"""A small sound plan in the plan language, and ways to change it, for tests that need one thing wrong."""

SOUND = """\
key: hall-queue
version: 1
source: 003-05
title: 营业厅客流激增处置 | Crowd surge in the service hall
category: service_hall
scope: 营业厅排队过长。 | Queues in the hall grow too long.
clause: 003-05 §1 | 增开窗口。 | Open counters.
facts:
  - {key: source.cut, title: 源头已切断 | Source cut, recorded_by: [counter]}
measures:
  - {key: queue.people, title: 排队人数 | People waiting, kind: number, unit: people}
  - {key: gas.lel, title: 可燃气体浓度 | Gas concentration, kind: number, unit: "%"}
teams:
  - {key: leadership, kind: leadership, title: 领导小组 | Leadership group, clause: 003-05 §0 | 总经理任组长。 | Leads.}
  - {key: counter, kind: service, title: 柜台组 | Counter team, clause: 003-05 §1 | 办理业务。 | Serves.}
posts:
  - {key: window, title: 窗口 | Window, team: counter}
authority:
  decides: leadership
  announces: leadership
  words: 由领导小组决定。 | The leaders decide.
  clause: 003-05 §0 | 组长宣布启动。 | The leader activates.
triggers:
  - {key: queue, title: 排队过长 | Long queue, words: 排队超过三十人。 | More than thirty people wait., by: leadership, clause: 003-05 §1 | 排队过长。 | Long queue.}
scales:
  - key: queue
    title: 排队级别 | Queue level
    kind: grade
    by: leadership
    clause: 003-05 §1 | 分两级。 | Two levels.
    levels:
      - {key: heavy, title: 严重 | Heavy, rank: 1, when: queue.people >= 60, action: 增开全部窗口。 | Open all., activation: decided}
      - {key: busy, title: 较忙 | Busy, rank: 2, when: queue.people >= 30, action: 增开窗口。 | Open one., activation: warning}
phases:
  - {key: response, title: 响应 | Response, starts: [plan.activated], clause: 003-05 §1 | 启动后行动。 | Act.}
orders:
  - key: open-counters
    team: counter
    phase: response
    title: 增开窗口 | Open counters
    text: 增开窗口。 | Open counters.
    checklist: open-counters
    within: 10 min
    clause: 003-05 §1 | 增开柜台。 | More counters.
checklists:
  - key: open-counters
    title: 增开窗口 | Opening counters
    items:
      - {key: open, text: 已开窗口数 | Counters open, kind: number, unit: counters, min: 1, max: 40}
      - {key: cut, text: 源头已切断 | Source cut, records: source.cut}
    clause: 003-05 §1 | 登记。 | Record.
limits:
  - key: eased
    title: 30 分钟内缓解 | Eased within 30 minutes
    owner: counter
    starts: [plan.activated]
    length: 30 min
    ends: [situation.controlled]
    then:
      - {alert: [leadership], words: 未缓解。 | Not eased.}
    clause: 003-05 §1 | 限 30 分钟。 | Thirty minutes.
"""


def changed(*changes: tuple[str, str]) -> str:
    """The sound plan with each first text (which must be there) replaced by the second."""
    text = SOUND
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def with_more(*parts: str) -> str:
    """The sound plan with more at its end."""
    return SOUND + "".join(parts)

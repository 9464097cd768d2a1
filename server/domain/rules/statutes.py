"""What the law asks of those who keep plans of a kind, where the plan itself says nothing: how often to drill."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from server.domain.rules.lengths import Cadence
from server.domain.rules.words import Clause, Words


@dataclass(frozen=True)
class Statute:
    """A duty to drill; it concerns plans of these `categories`. Whether it binds an organisation, the organisation knows."""

    key: str
    title: Words
    categories: frozenset[str]
    every: Cadence
    clause: Clause


STATUTES: Final = (
    Statute(
        "safety-half-yearly",
        Words("生产安全事故应急救援演练", "Drill of rescue in work-safety accidents"),
        frozenset({"crowd", "ticketing", "gas", "transport"}),
        Cadence(6, "month"),
        Clause(
            "708 §8",
            Words(
                "《生产安全事故应急条例》（国务院令第 708 号）第八条：危险物品、轨道交通等单位，以及景区、商场等人员密集场所，至少每半年演练一次，并向主管部门报告演练情况。本单位是否属于所列单位，由本单位核对。",
                "Regulations on Emergency Response to Work Safety Accidents (State Council Order 708), Article 8: dangerous goods, rail transit and places where crowds gather, such as scenic areas, drill at least every half year "
                "and report on it to the authority. Whether it names your organisation is for the organisation to check.",
            ),
        ),
    ),
    Statute(
        "fire-half-yearly",
        Words("消防灭火和应急疏散演练", "Fire-fighting and evacuation drill"),
        frozenset({"fire", "kitchen"}),
        Cadence(6, "month"),
        Clause(
            "61 §40",
            Words(
                "《机关、团体、企业、事业单位消防安全管理规定》（公安部令第 61 号）第四十条：消防安全重点单位至少每半年演练一次灭火和应急疏散预案，其他单位至少每年一次。条号和是否属于重点单位，由本单位核对。",
                "Fire Safety Rules for Organisations (Ministry of Public Security Order 61), Article 40: key fire-safety units drill fire-fighting and evacuation at least every half year, others at least once a year. The number of the article, and whether you are a key unit, is for the organisation to check.",
            ),
        ),
    ),
)  # fmt: skip

"""Units of measure as people write them in Chinese; plans name most of them in English."""

ZH = {
    "people": "人", "person": "人", "pieces": "件", "tickets": "张", "vehicles": "辆", "cases": "例",
    "windows": "个窗口", "times": "次", "orders": "单", "customers": "户", "sets": "套", "sales": "笔",
    "records": "条", "seats": "席", "posts": "个岗位", "forms": "份", "calls": "通", "users": "人", "trains": "列",
    "reports": "份", "outlets": "个网点", "halls": "个厅", "floor": "层", "flats": "户", "boxes": "箱",
    "agents": "人", "services": "项业务", "schools": "所", "rooms": "间", "merchants": "家", "machines": "台",
    "lanes": "条通道", "groups": "组", "counters": "个柜台", "copies": "份", "classes": "个班", "buses": "辆",
    "buildings": "栋", "areas": "个区域", "kits": "个", "sheets": "张", "min": "分钟", "minutes": "分钟", "h": "小时",
    "hours": "小时", "s": "秒", "d": "天", "days": "天", "m": "米", "t": "吨", "CNY": "元",
}  # fmt: skip


def unit(name: str, language: str) -> str:
    """The unit in `language` (zh or en); one without a Chinese word stays as it is."""
    return ZH.get(name, name) if language == "zh" else name

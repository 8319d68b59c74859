package report

// chinese has the fixed texts of pages by their English form. Verbs of fmt come in the same
// order, or are numbered.
var chinese = map[string]string{
	": ": "：", ".": "。",
	"Pass": "通过", "Refuse": "拒绝", "Wait": "等待", "Inconclusive": "无法判定",
	"Passed": "通过", "Failed": "失败", "Invalid": "无效", "Aborted": "中止", "Running": "进行中",
	"release": "发布", "schedule": "计划", "person": "人工",

	"Run %s": "运行 %s", "Trial of %s in %s": "%s 在 %s 的试航", "Experiment %s": "实验 %s", "Experiments from %s to %s": "%s 至 %s 的实验",
	"Next step: %s": "下一步：%s", "Not measured": "未测量", "Hypothesis": "假设", "Fault": "故障", "Targets": "目标", "Recovery": "恢复", "Timeline": "时间线",
	"service": "服务", "environment": "环境", "commit": "提交", "message": "说明", "image": "镜像", "by": "发起者", "state": "状态", "resilience": "韧性", "began": "开始", "ended": "结束",
	"experiment": "实验", "all": "全部", "SLO": "SLO", "objective": "目标值", "without the fault": "无故障", "under the fault": "故障中", "interval": "区间",
	"time": "时间", "took": "历时", "what": "事件", "measured": "实测", "from": "自", "to": "至", "outcome": "结果", "asked": "查询", "sum": "总和", "samples": "样本数", "warning: %s": "警告：%s",
	"runs": "运行", "passed": "通过", "failed": "失败", "invalid": "无效", "aborted": "中止", "failure rate": "失败率", "true rate, 90 %": "真实失败率（90 %）", "recovery, median": "恢复时间中位数", "worst": "最慢", "not recovered": "未恢复",

	"not recorded": "无记录", "not measured": "未测量", "no verdict is recorded": "没有记录裁决", "nothing was broken": "没有注入任何故障", "nothing told": "无结论", "no cluster": "无集群",
	"Whom it might have hit is not recorded":                                "没有记录可能影响到谁",
	"recovered after %.1f to %.1f s (pods tell whole seconds)":              "%.1f 至 %.1f 秒后恢复（pod 只报告整秒）",
	"not recovered within %.0f s":                                           "%.0f 秒内未恢复",
	"%s of %.0f events":                                                     "%s（%.0f 个事件）",
	"%s to %s":                                                              "%s 至 %s",
	"%.0f of 100":                                                           "%.0f（满分 100）",
	"No verdict is recorded; the stored samples come to %s.":                "没有记录裁决；按保存的样本得出：%s。",
	"Judged again from the stored samples, it is the same.":                 "按保存的样本重新裁决，结果相同。",
	"Judged again from the stored samples it is %s, not what was recorded.": "按保存的样本重新裁决，结果是 %s，与记录不同。",
	"it holds":             "成立",
	"it does not hold":     "不成立",
	", %s now and %s then": "，现在 %s，当时 %s",
	"%+.2f points (%+.2f to %+.2f, 98 %% confidence); worse with %.1f %% confidence": "%+.2f 个百分点（%+.2f 至 %+.2f，置信度 98 %%）；变差的置信度 %.1f %%",
	"last verified release, tried before":                                            "上一个已验证的发布（此前试航）",
	"last verified release, at the same time on %s":                                  "上一个已验证的发布（同时在 %s 上）",
	"candidate": "候选发布",
	"What the fault does to the candidate alone: %s.":              "故障单独对候选发布的影响：%s。",
	"Compared with the last verified release under the same fault": "与同一故障下上一个已验证的发布比较",
	"Times are UTC. Intervals hold the true share with 90 % confidence. The verdict rests on a window's one value; the line through it, where one was recorded, says how it came about.": "时间为 UTC。区间以 90 % 的置信度包含真实比例。裁决只依据窗口的一个值；若有记录，穿过它的线说明该值如何形成。",

	"the fault": "故障", "while %s is active": "（%s 期间）", "after %s": "（%s 之后）", "%s stays at %s or more %s": "%[1]s 保持在 %[2]s 以上%[3]s", "every pod is ready again after %s": "%s 之后所有 pod 重新就绪",
	"%s on %s, attempt %d. %s.": "%[2]s 上的 %[1]s，第 %[3]d 次尝试。%[4]s。", "with %s": "参数 %s", "and %d more": "另有 %d 个",

	"measured without the fault": "无故障测量", "the fault was injected": "已注入故障", "the fault could not be injected": "故障无法注入", "measured under the fault": "故障中测量",
	"the fault was reverted, and verified to be gone": "故障已撤销并确认消失", "the fault could not be reverted": "故障无法撤销", whatRecovered: "已恢复（pod 只报告整秒）",
	" without the fault": "（无故障）", " under the fault": "（故障中）", "anything after it was aborted: ": "中止之后的一切：", "anything under the fault: ": "故障中的一切：",
	"the recovery: the experiment did not come so far": "恢复：实验没有进行到这一步", "the time of the recovery": "恢复所用时间",
	"the comparison with the last verified release under the same fault: there is no record of it": "与同一故障下上一个已验证的发布的比较：没有记录",
	"everything: nothing was recorded": "一切：没有任何记录", "what is still to come: it had not ended when this was written": "尚未发生的部分：写下本页时还没有结束",

	"fault active": "故障生效", "from the fault to its removal": "从故障到撤销", "recovered": "已恢复",
	"%s over time: without the fault %s, under the fault %s":  "%s 随时间变化：无故障 %s，故障中 %s",
	"There is nothing to draw: no window of it was measured.": "没有可画的内容：没有测量到任何窗口。",
	"Each bar is one window at its share of good events, the stroke through it the interval of its true share, the thin line the share of a quarter of it as it slides along, the dashed line the objective.": "每条横杠是一个窗口，高度为其良好事件的比例；穿过它的竖线是真实比例的区间；细线是窗口四分之一滑动时的比例；虚线是目标值。",
	"Shaded is the time from the injection to when the revert began.": "阴影是从注入到开始撤销的时间。",
	"Below are the events of each piece of a window.":                 "下方是窗口各段的事件数。",
	"Time without a measurement is cut out at the dotted line.":       "点线处略去了没有测量的时间。",

	"no run ended in this time":                               "这段时间内没有运行结束",
	"%d runs: %d passed, %d failed, %d invalid, %d aborted":   "%d 次运行：通过 %d，失败 %d，无效 %d，中止 %d",
	"; %s failed of those that told something (%s)":           "；有结论的运行中失败 %s（%s）",
	"; recovered after %.1f s in the median, %.1f s at worst": "；恢复时间中位数 %.1f 秒，最慢 %.1f 秒",
	"; %d did not recover in time":                            "；%d 次未按时恢复",
	"true rate %.1f to %.1f %%":                               "真实失败率 %.1f 至 %.1f %%",
	"Runs outside of releases. Invalid and aborted runs say nothing of a service and are not in its rate. Pods tell whole seconds: a recovery took up to a second more. Times are UTC.": "不属于发布的运行。无效和中止的运行不说明服务的好坏，不计入失败率。pod 只报告整秒，恢复时间最多还要长一秒。时间为 UTC。",
}

<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="zh_CN">
<context>
    <name>AboutDialog</name>
    <message>
        <source>see its own notice</source>
        <translation>见其自带的声明</translation>
    </message>
    <message>
        <source>About Magi Desktop</source>
        <translation>关于 Magi Desktop</translation>
    </message>
    <message>
        <source>Version {}</source>
        <translation>版本 {}</translation>
    </message>
    <message>
        <source>Links</source>
        <translation>链接</translation>
    </message>
    <message>
        <source>Open the pages of the model in your browser.</source>
        <translation>在浏览器中打开模型的主页。</translation>
    </message>
    <message>
        <source>Third-party notice</source>
        <translation>第三方声明</translation>
    </message>
    <message>
        <source>The libraries this program uses, with their licences.</source>
        <translation>本程序使用的库及其许可证。</translation>
    </message>
    <message>
        <source>Makes videos with MAGI-1 on your own computer. Free software under the Apache License 2.0.</source>
        <translation>在您自己的电脑上用 MAGI-1 生成视频。基于 Apache License 2.0 的自由软件。</translation>
    </message>
    <message>
        <source>Built with</source>
        <translation>基于以下项目</translation>
    </message>
    <message>
        <source>Copy diagnostics</source>
        <translation>复制诊断信息</translation>
    </message>
    <message>
        <source>Put what helps to find a fault on the clipboard: versions and the log.</source>
        <translation>把有助于查找故障的内容（版本和日志）复制到剪贴板。</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Close this sheet.</source>
        <translation>关闭此窗口。</translation>
    </message>
</context>
<context>
    <name>AddModelDialog</name>
    <message>
        <source>Folder, or owner/repository</source>
        <translation>文件夹，或 所有者/仓库</translation>
    </message>
    <message>
        <source>Folder or repository</source>
        <translation>文件夹或仓库</translation>
    </message>
    <message>
        <source>A folder on this computer, or a repository of the hub: its name or address.</source>
        <translation>本机上的文件夹，或模型站点上的仓库（名称或网址）。</translation>
    </message>
    <message>
        <source>Folder…</source>
        <translation>文件夹…</translation>
    </message>
    <message>
        <source>Choose a folder on this computer.</source>
        <translation>选择本机上的文件夹。</translation>
    </message>
    <message>
        <source>Find out</source>
        <translation>自动判断</translation>
    </message>
    <message>
        <source>Kind</source>
        <translation>种类</translation>
    </message>
    <message>
        <source>Needed only where folders are not called as in the release.</source>
        <translation>仅当文件夹名称与发布时不同才需要。</translation>
    </message>
    <message>
        <source>After the folder or repository</source>
        <translation>按文件夹或仓库命名</translation>
    </message>
    <message>
        <source>Name</source>
        <translation>名称</translation>
    </message>
    <message>
        <source>What the model is called in the list.</source>
        <translation>模型在列表中的名称。</translation>
    </message>
    <message>
        <source>&amp;From</source>
        <translation>来源(&amp;F)</translation>
    </message>
    <message>
        <source>&amp;Kind</source>
        <translation>种类(&amp;K)</translation>
    </message>
    <message>
        <source>&amp;Name</source>
        <translation>名称(&amp;N)</translation>
    </message>
    <message>
        <source>Add a model</source>
        <translation>添加模型</translation>
    </message>
    <message>
        <source>A variant of a released model, in a folder of this computer or on the hub. Nothing is downloaded before you say so.</source>
        <translation>已发布模型的变体，位于本机文件夹或模型站点。未经您同意不会下载任何内容。</translation>
    </message>
    <message>
        <source>Add</source>
        <translation>添加</translation>
    </message>
    <message>
        <source>Looks at it, and puts it into the list.</source>
        <translation>查看后放入列表。</translation>
    </message>
    <message>
        <source>The folder of a model</source>
        <translation>模型所在的文件夹</translation>
    </message>
</context>
<context>
    <name>AdvancedRows</name>
    <message>
        <source>Prompt strength</source>
        <translation>提示词强度</translation>
    </message>
    <message>
        <source>How closely the video follows the prompt; too much looks harsh.</source>
        <translation>视频遵循提示词的程度（引导强度）；过高画面会生硬。</translation>
    </message>
    <message>
        <source>Continuity</source>
        <translation>连贯性</translation>
    </message>
    <message>
        <source>How closely each second follows the one before it.</source>
        <translation>每一秒与前一秒衔接的紧密程度。</translation>
    </message>
    <message>
        <source>E&amp;xpert</source>
        <translation>专家(&amp;X)</translation>
    </message>
    <message>
        <source>Show or hide how the model computes a video.</source>
        <translation>显示或隐藏模型计算视频的方式。</translation>
    </message>
</context>
<context>
    <name>AuditionDialog</name>
    <message>
        <source>Audition</source>
        <translation>试镜</translation>
    </message>
    <message>
        <source>First seconds</source>
        <translation>开头几秒</translation>
    </message>
    <message>
        <source>Enter makes the rest of one, Delete throws it away, Ctrl+Z brings it back.</source>
        <translation>Enter 生成其剩余部分，Delete 丢弃，Ctrl+Z 恢复。</translation>
    </message>
    <message>
        <source>Throw away</source>
        <translation>丢弃</translation>
    </message>
    <message>
        <source>Moves it to the trash (Del).</source>
        <translation>移到回收站 (Del)。</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>All of them stay in the library.</source>
        <translation>它们都会留在作品库中。</translation>
    </message>
    <message>
        <source>Make the rest</source>
        <translation>生成剩余部分</translation>
    </message>
    <message>
        <source>Goes on with this one; the others stay (Enter).</source>
        <translation>继续生成这一个，其余的保留 (Enter)。</translation>
    </message>
    <message>
        <source>Which one goes on?</source>
        <translation>继续哪一个？</translation>
    </message>
    <message numerus="yes">
        <source>%n more being made</source>
        <translation>
            <numerusform>还有 %n 个正在生成</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n more wait: the queue is held.</source>
        <translation>
            <numerusform>还有 %n 个在等待：队列已暂停。</numerusform>
        </translation>
    </message>
    <message>
        <source>They appear here one after the other and play: keep the one you like.</source>
        <translation>它们会在这里逐个出现并播放：选出喜欢的那一个继续。</translation>
    </message>
    <message>
        <source>There are none. The arrow beside Generate makes first seconds.</source>
        <translation>还没有开头。点“生成”旁的箭头即可生成。</translation>
    </message>
    <message>
        <source>Seed {}</source>
        <translation>种子 {}</translation>
    </message>
</context>
<context>
    <name>Canvas</name>
    <message>
        <source>Video</source>
        <translation>视频</translation>
    </message>
    <message>
        <source>Reference</source>
        <translation>参考素材</translation>
    </message>
    <message>
        <source>Result</source>
        <translation>结果</translation>
    </message>
    <message>
        <source>Rough preview</source>
        <translation>粗略预览</translation>
    </message>
</context>
<context>
    <name>ChunkStrip</name>
    <message>
        <source>Parts of the video</source>
        <translation>视频的各个片段</translation>
    </message>
    <message>
        <source>waiting</source>
        <translation>等待中</translation>
    </message>
    <message>
        <source>{percent} % made</source>
        <translation>已完成 {percent} %</translation>
    </message>
    <message>
        <source>nearly ready</source>
        <translation>即将完成</translation>
    </message>
    <message>
        <source>ready</source>
        <translation>已完成</translation>
    </message>
    <message>
        <source>playing</source>
        <translation>播放中</translation>
    </message>
    <message>
        <source>Part {number} of {count}, from {time} on: {state}</source>
        <translation>第 {number} 部分，共 {count} 部分，从 {time} 开始：{state}</translation>
    </message>
    <message>
        <source>Double-click to change the prompt from here on.</source>
        <translation>双击可更改从此处开始的提示词。</translation>
    </message>
</context>
<context>
    <name>CleanLookBackRow</name>
    <message>
        <source>as before</source>
        <translation>与之前相同</translation>
    </message>
    <message>
        <source>Look back when finished</source>
        <translation>完成后的回看</translation>
    </message>
    <message>
        <source>Chunks a finished chunk sees, itself included, when it is remembered; “as before”: as many as in its last steps.</source>
        <translation>已完成的片段存入记忆时能看到的片段数，含自身；“与之前相同”：与其最后几步一样多。</translation>
    </message>
</context>
<context>
    <name>ClipEditor</name>
    <message>
        <source>Its end</source>
        <translation>结尾</translation>
    </message>
    <message>
        <source>The new video goes on where this one ends.</source>
        <translation>新视频从此视频的结尾处继续。</translation>
    </message>
    <message>
        <source>Its start</source>
        <translation>开头</translation>
    </message>
    <message>
        <source>The new video goes on after the first moments of this one.</source>
        <translation>新视频接在此视频开头的片刻之后。</translation>
    </message>
    <message>
        <source>A range</source>
        <translation>选定范围</translation>
    </message>
    <message>
        <source>The new video goes on after any part of this one.</source>
        <translation>新视频可接在此视频的任意一段之后。</translation>
    </message>
    <message>
        <source>Go on from</source>
        <translation>续接自</translation>
    </message>
    <message>
        <source> s</source>
        <translation> 秒</translation>
    </message>
    <message>
        <source>From</source>
        <translation>从</translation>
    </message>
    <message>
        <source>Length</source>
        <translation>时长</translation>
    </message>
    <message>
        <source>to</source>
        <translation>到</translation>
    </message>
    <message>
        <source>Start</source>
        <translation>起点</translation>
    </message>
    <message>
        <source>Where the range begins.</source>
        <translation>范围的起点。</translation>
    </message>
    <message>
        <source>End</source>
        <translation>终点</translation>
    </message>
    <message>
        <source>Where the range ends.</source>
        <translation>范围的终点。</translation>
    </message>
    <message>
        <source>How much of the video is used, up to 5 s.</source>
        <translation>使用视频的多长一段，最多 5 秒。</translation>
    </message>
    <message numerus="yes">
        <source>%n frame(s) at {fps} fps</source>
        <translation>
            <numerusform>%n 帧，{fps} 帧/秒</numerusform>
        </translation>
    </message>
    <message>
        <source>Uses the last {length} s ({count}).</source>
        <translation>使用最后 {length} 秒（{count}）。</translation>
    </message>
    <message>
        <source>Uses the first {length} s ({count}).</source>
        <translation>使用最初 {length} 秒（{count}）。</translation>
    </message>
    <message>
        <source>Uses {length} s, from {start} s to {end} s ({count}).</source>
        <translation>使用 {length} 秒，从 {start} 秒到 {end} 秒（{count}）。</translation>
    </message>
</context>
<context>
    <name>CopyButton</name>
    <message>
        <source>Copied</source>
        <translation>已复制</translation>
    </message>
</context>
<context>
    <name>CropView</name>
    <message>
        <source>Part of the picture that is used</source>
        <translation>画面中使用的部分</translation>
    </message>
    <message>
        <source>Drag the frame to choose what is used; drag a corner to resize it.</source>
        <translation>拖动选框选择使用的部分；拖动边角调整大小。</translation>
    </message>
    <message>
        <source>The whole picture is used, with black bars where it has none.</source>
        <translation>使用整个画面，空余处补黑边。</translation>
    </message>
    <message>
        <source>The whole picture is used, distorted to the shape of the video.</source>
        <translation>使用整个画面，拉伸到视频的比例。</translation>
    </message>
</context>
<context>
    <name>DeletionNotice</name>
    <message numerus="yes">
        <source>%n video(s) deleted.</source>
        <translation>
            <numerusform>已删除 %n 个视频。</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n other take(s) of the same video stay.</source>
        <translation>
            <numerusform>同一视频的另外 %n 个版本仍保留。</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>DetailsDialog</name>
    <message>
        <source>Details</source>
        <translation>详情</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Put all of it on the clipboard.</source>
        <translation>把全部内容放到剪贴板。</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Back to the window.</source>
        <translation>回到主窗口。</translation>
    </message>
    <message>
        <source>File</source>
        <translation>文件</translation>
    </message>
    <message>
        <source>Prompt from {} on</source>
        <translation>从 {} 起的提示词</translation>
    </message>
    <message>
        <source>Started from</source>
        <translation>起始素材</translation>
    </message>
    <message>
        <source>{}, stopped early</source>
        <translation>{}，提前停止</translation>
    </message>
    <message numerus="yes">
        <source>%n step(s)</source>
        <translation>
            <numerusform>%n 步</numerusform>
        </translation>
    </message>
    <message>
        <source>Seed</source>
        <translation>种子</translation>
    </message>
    <message>
        <source>Model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Size</source>
        <translation>尺寸</translation>
    </message>
    <message>
        <source>Length</source>
        <translation>时长</translation>
    </message>
    <message>
        <source>Quality</source>
        <translation>质量</translation>
    </message>
    <message>
        <source>Made</source>
        <translation>制作于</translation>
    </message>
    <message>
        <source>Took</source>
        <translation>用时</translation>
    </message>
    <message>
        <source>Computed with</source>
        <translation>计算方式</translation>
    </message>
    <message>
        <source>8-bit arithmetic</source>
        <translation>8 位运算</translation>
    </message>
</context>
<context>
    <name>DirectLine</name>
    <message>
        <source>Prompt from then on</source>
        <translation>此后的提示词</translation>
    </message>
    <message>
        <source>What the model is to show from then on (Ctrl+D). Esc: as it was.</source>
        <translation>此后模型要表现的内容（Ctrl+D）。按 Esc 恢复原样。</translation>
    </message>
    <message>
        <source>Use this prompt for what has not begun (Enter).</source>
        <translation>把这个提示词用于尚未开始的部分（回车）。</translation>
    </message>
    <message>
        <source>Next</source>
        <translation>接下来</translation>
    </message>
    <message>
        <source>At once</source>
        <translation>立即</translation>
    </message>
    <message>
        <source>From {} on:</source>
        <translation>从 {} 起：</translation>
    </message>
    <message>
        <source>What has already begun stays as it is.</source>
        <translation>已经开始的部分保持不变。</translation>
    </message>
    <message>
        <source>At once is from {second} on: what has begun there starts anew, which takes about {time} longer.</source>
        <translation>“立即”从 {second} 起：那里已开始的部分会重新开始，大约多用 {time}。</translation>
    </message>
</context>
<context>
    <name>DropZone</name>
    <message>
        <source>Use a sample picture</source>
        <translation>使用示例图片</translation>
    </message>
    <message>
        <source>A coloured ball, such as this model can set in motion.</source>
        <translation>一个彩色小球，此模型能让它动起来。</translation>
    </message>
</context>
<context>
    <name>Drops</name>
    <message>
        <source>Start a video from this picture</source>
        <translation>用这张图片开始一个视频</translation>
    </message>
    <message>
        <source>Go on from the end of this video</source>
        <translation>从这个视频的结尾继续</translation>
    </message>
    <message>
        <source>Use the settings in this file</source>
        <translation>使用此文件中的设置</translation>
    </message>
    <message>
        <source>Use the prompts of this storyboard</source>
        <translation>使用这个分镜脚本的提示词</translation>
    </message>
    <message>
        <source>Use the words in this file</source>
        <translation>使用这个文件中的文字</translation>
    </message>
    <message>
        <source>Add this text to the prompt</source>
        <translation>把这段文字加入提示词</translation>
    </message>
    <message>
        <source>Drop it to see whether it can be used</source>
        <translation>松开以查看能否使用</translation>
    </message>
    <message>
        <source>Several files were dropped. This one is used: {}</source>
        <translation>拖入了多个文件，使用的是：{}</translation>
    </message>
</context>
<context>
    <name>EnginePlaceDialog</name>
    <message>
        <source>Where videos are made</source>
        <translation>视频在哪里制作</translation>
    </message>
    <message>
        <source>This computer</source>
        <translation>这台电脑</translation>
    </message>
    <message>
        <source>With its own graphics card.</source>
        <translation>使用本机的显卡。</translation>
    </message>
    <message>
        <source>Another computer</source>
        <translation>另一台电脑</translation>
    </message>
    <message>
        <source>On which &apos;magi serve&apos; runs; the videos come here.</source>
        <translation>那里运行着 magi serve；视频会传到这里。</translation>
    </message>
    <message>
        <source>Address</source>
        <translation>地址</translation>
    </message>
    <message>
        <source>The whole first line that &apos;magi serve&apos; says.</source>
        <translation>magi serve 输出的完整第一行。</translation>
    </message>
    <message>
        <source>Key</source>
        <translation>密钥</translation>
    </message>
    <message>
        <source>From the file that &apos;magi serve&apos; names; keep it.</source>
        <translation>来自 magi serve 所说的文件；请妥善保管。</translation>
    </message>
    <message>
        <source>Test</source>
        <translation>测试</translation>
    </message>
    <message>
        <source>Asks that computer what it has.</source>
        <translation>询问那台电脑有什么。</translation>
    </message>
    <message>
        <source>Look around</source>
        <translation>查找</translation>
    </message>
    <message>
        <source>Finds computers in this network on which &apos;magi serve --announce&apos; runs.</source>
        <translation>查找此网络中正在运行 magi serve --announce 的电脑。</translation>
    </message>
    <message>
        <source>Start &apos;magi serve --host 0.0.0.0&apos; on that computer: it says its address, and then which file holds the key.</source>
        <translation>请在那台电脑上启动 magi serve --host 0.0.0.0：它会显示地址，以及密钥所在的文件。</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Changes nothing.</source>
        <translation>不作任何更改。</translation>
    </message>
    <message>
        <source>Use</source>
        <translation>使用</translation>
    </message>
    <message>
        <source>From the next start of this program on.</source>
        <translation>从本程序下次启动起生效。</translation>
    </message>
    <message>
        <source>&amp;Address</source>
        <translation>地址(&amp;A)</translation>
    </message>
    <message>
        <source>&amp;Key</source>
        <translation>密钥(&amp;K)</translation>
    </message>
    <message>
        <source>Looking…</source>
        <translation>正在查找…</translation>
    </message>
    <message>
        <source>No computer announces itself in this network.</source>
        <translation>此网络中没有电脑公布自己。</translation>
    </message>
    <message>
        <source>What that computer says has to end with: {pin}</source>
        <translation>那台电脑显示的内容必须以此结尾：{pin}</translation>
    </message>
    <message>
        <source>Asking…</source>
        <translation>正在询问…</translation>
    </message>
    <message>
        <source>{card}, {free} free. Models: {models}. Videos waiting: {count}.</source>
        <translation>{card}，可用 {free}。模型：{models}。等待中的视频：{count}。</translation>
    </message>
    <message>
        <source>none</source>
        <translation>无</translation>
    </message>
</context>
<context>
    <name>ExportBar</name>
    <message>
        <source>Progress of the export</source>
        <translation>导出进度</translation>
    </message>
    <message>
        <source>Cancel the export; nothing of it is kept.</source>
        <translation>取消导出，不保留任何内容。</translation>
    </message>
    <message>
        <source>Cancel the export</source>
        <translation>取消导出</translation>
    </message>
    <message>
        <source>Cancelling</source>
        <translation>正在取消</translation>
    </message>
    <message>
        <source>Exporting {name}</source>
        <translation>正在导出 {name}</translation>
    </message>
    <message>
        <source>Exporting {number} of {total}</source>
        <translation>正在导出第 {number} 个，共 {total} 个</translation>
    </message>
</context>
<context>
    <name>Field</name>
    <message>
        <source>Reset: {}</source>
        <translation>重置：{}</translation>
    </message>
    <message>
        <source>Go back to the usual value.</source>
        <translation>恢复默认值。</translation>
    </message>
</context>
<context>
    <name>FileQualityRow</name>
    <message>
        <source>File quality</source>
        <translation>文件质量</translation>
    </message>
    <message>
        <source>Better quality makes a larger file; the frames in this window are not affected.</source>
        <translation>质量越高，文件越大；不影响本窗口中显示的帧。</translation>
    </message>
    <message>
        <source>This format has no such setting.</source>
        <translation>此格式没有这项设置。</translation>
    </message>
    <message>
        <source>{0} · crf {1}</source>
        <translation>{0} · crf {1}</translation>
    </message>
    <message>
        <source>Large file</source>
        <translation>大文件</translation>
    </message>
    <message>
        <source>Like the original</source>
        <translation>接近原始</translation>
    </message>
    <message>
        <source>Smaller file</source>
        <translation>较小文件</translation>
    </message>
    <message>
        <source>Smallest file</source>
        <translation>最小文件</translation>
    </message>
</context>
<context>
    <name>Filmstrip</name>
    <message>
        <source>Part of the video that is used</source>
        <translation>视频中使用的部分</translation>
    </message>
    <message>
        <source>Drag the range or its ends to choose what the video goes on from.</source>
        <translation>拖动范围或其两端，选择视频从何处续接。</translation>
    </message>
    <message>
        <source>From {start} s to {end} s</source>
        <translation>从 {start} 秒到 {end} 秒</translation>
    </message>
</context>
<context>
    <name>FormatRow</name>
    <message>
        <source>MP4: plays everywhere</source>
        <translation>MP4：到处都能播放</translation>
    </message>
    <message>
        <source>WebM: for web pages</source>
        <translation>WebM：适合网页</translation>
    </message>
    <message>
        <source>GIF: for messages, 256 colours</source>
        <translation>GIF：适合聊天，256 色</translation>
    </message>
    <message>
        <source>WebP: small animations</source>
        <translation>WebP：小体积动图</translation>
    </message>
    <message>
        <source>PNG: a folder of frames</source>
        <translation>PNG：逐帧图片文件夹</translation>
    </message>
    <message>
        <source>File format</source>
        <translation>文件格式</translation>
    </message>
    <message>
        <source>The kind of file the video is written to.</source>
        <translation>视频写入的文件类型。</translation>
    </message>
</context>
<context>
    <name>FpsRow</name>
    <message>
        <source>Frames per second</source>
        <translation>帧率</translation>
    </message>
    <message>
        <source>How fast the frames are played; the model makes the same frames at any speed.</source>
        <translation>每秒播放的帧数；无论多快，模型生成的帧都一样。</translation>
    </message>
    <message>
        <source>Slower than life: the model learned {} a second.</source>
        <translation>慢于实际速度：模型按每秒 {} 帧训练。</translation>
    </message>
    <message>
        <source>Faster than life: the model learned {} a second.</source>
        <translation>快于实际速度：模型按每秒 {} 帧训练。</translation>
    </message>
</context>
<context>
    <name>FromHere</name>
    <message>
        <source>This second</source>
        <translation>这一秒</translation>
    </message>
    <message>
        <source>Redo from here…</source>
        <translation>从这里重做…</translation>
    </message>
    <message numerus="yes">
        <source>%n variation(s) from here</source>
        <translation>
            <numerusform>从这里起的 %n 个变体</numerusform>
        </translation>
    </message>
    <message>
        <source>Go on behind it…</source>
        <translation>从它之后继续…</translation>
    </message>
    <message>
        <source>Cut here…</source>
        <translation>在此切换镜头…</translation>
    </message>
    <message>
        <source>Export this part…</source>
        <translation>导出这一部分…</translation>
    </message>
</context>
<context>
    <name>GenerateBar</name>
    <message>
        <source>Make several variations, each with a seed of its own.</source>
        <translation>生成多个变体，各用不同的种子。</translation>
    </message>
    <message>
        <source>Several variations</source>
        <translation>多个变体</translation>
    </message>
    <message>
        <source>Leave the queued video as it was.</source>
        <translation>排队中的视频保持原样。</translation>
    </message>
    <message>
        <source>Leave it as it was</source>
        <translation>保持原样</translation>
    </message>
    <message>
        <source>Audition of first seconds…</source>
        <translation>开头试镜…</translation>
    </message>
    <message>
        <source>Gets its files, and can be paused at any time. Then generate.</source>
        <translation>获取模型文件，可随时暂停。之后即可生成。</translation>
    </message>
    <message>
        <source>Download model ({})</source>
        <translation>下载模型（{}）</translation>
    </message>
    <message>
        <source>Shows it among all models.</source>
        <translation>在所有模型中显示它。</translation>
    </message>
    <message>
        <source>Get the model ready…</source>
        <translation>准备模型…</translation>
    </message>
    <message>
        <source>Put back in the queue</source>
        <translation>放回队列</translation>
    </message>
    <message>
        <source>Replace the queued video you are editing (Ctrl+Enter).</source>
        <translation>替换正在编辑的排队视频 (Ctrl+Enter)。</translation>
    </message>
    <message>
        <source>Add to queue</source>
        <translation>加入队列</translation>
    </message>
    <message>
        <source>Generate</source>
        <translation>生成</translation>
    </message>
    <message>
        <source>Make this video when the running one is done (Ctrl+Enter).</source>
        <translation>当前视频完成后生成此视频 (Ctrl+Enter)。</translation>
    </message>
    <message numerus="yes">
        <source>%n variation(s)</source>
        <translation>
            <numerusform>%n 个变体</numerusform>
        </translation>
    </message>
    <message>
        <source>Make this video now (Ctrl+Enter).</source>
        <translation>立即生成此视频 (Ctrl+Enter)。</translation>
    </message>
</context>
<context>
    <name>GenerationPanel</name>
    <message>
        <source>&amp;Advanced</source>
        <translation>高级(&amp;A)</translation>
    </message>
    <message>
        <source>Show or hide the settings that are seldom needed.</source>
        <translation>显示或隐藏不常用的设置。</translation>
    </message>
</context>
<context>
    <name>GuideDialog</name>
    <message>
        <source>Guide</source>
        <translation>指南</translation>
    </message>
    <message>
        <source>How to make a video, step by step.</source>
        <translation>如何一步步制作视频。</translation>
    </message>
</context>
<context>
    <name>HelpSheet</name>
    <message>
        <source>Shortcuts</source>
        <translation>快捷键</translation>
    </message>
    <message>
        <source>Search</source>
        <translation>搜索</translation>
    </message>
    <message>
        <source>Search the shortcuts</source>
        <translation>搜索快捷键</translation>
    </message>
    <message>
        <source>Shows only what has these letters in its name or keys.</source>
        <translation>只显示名称或按键中包含这些字符的项目。</translation>
    </message>
    <message>
        <source>No shortcut is called that.</source>
        <translation>没有匹配的快捷键。</translation>
    </message>
</context>
<context>
    <name>HistoryPopup</name>
    <message>
        <source>Used prompts</source>
        <translation>用过的提示词</translation>
    </message>
    <message>
        <source>Search used prompts</source>
        <translation>搜索用过的提示词</translation>
    </message>
    <message>
        <source>Used prompts, newest first</source>
        <translation>用过的提示词，最新的在前</translation>
    </message>
    <message>
        <source>No prompt like this was used.</source>
        <translation>没有用过类似的提示词。</translation>
    </message>
    <message>
        <source>Prompts appear here once you have made a video with them.</source>
        <translation>用提示词生成过视频后，它们会出现在这里。</translation>
    </message>
</context>
<context>
    <name>ImportCard</name>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>Looks at the same place once more.</source>
        <translation>再查看一次同一位置。</translation>
    </message>
    <message>
        <source>Hide</source>
        <translation>隐藏</translation>
    </message>
    <message>
        <source>Takes this message away.</source>
        <translation>收起这条消息。</translation>
    </message>
</context>
<context>
    <name>InstallStrip</name>
    <message>
        <source>Opens the list of models.</source>
        <translation>打开模型列表。</translation>
    </message>
</context>
<context>
    <name>ItemTexts</name>
    <message>
        <source>from part {part} on</source>
        <translation>从第 {part} 部分起</translation>
    </message>
    <message>
        <source>{count} prompts</source>
        <translation>{count} 条提示词</translation>
    </message>
    <message>
        <source>seed {seed}</source>
        <translation>种子 {seed}</translation>
    </message>
    <message>
        <source>until stopped</source>
        <translation>直到停止</translation>
    </message>
    <message>
        <source>{seconds} s</source>
        <translation>{seconds} 秒</translation>
    </message>
    <message>
        <source>From {name}</source>
        <translation>来自 {name}</translation>
    </message>
    <message>
        <source>No prompt</source>
        <translation>无提示词</translation>
    </message>
    <message>
        <source>Today, {time}</source>
        <translation>今天 {time}</translation>
    </message>
</context>
<context>
    <name>JobLink</name>
    <message>
        <source>Stopped before the first frames were ready.</source>
        <translation>首批帧完成前已停止。</translation>
    </message>
</context>
<context>
    <name>LaterPromptRow</name>
    <message>
        <source>From</source>
        <translation>从</translation>
    </message>
    <message>
        <source>Where this prompt begins to count.</source>
        <translation>此提示词从这里开始生效。</translation>
    </message>
    <message>
        <source>When this part begins.</source>
        <translation>这一部分何时开始。</translation>
    </message>
    <message>
        <source>Remove this prompt</source>
        <translation>移除此提示词</translation>
    </message>
    <message>
        <source>Remove this prompt.</source>
        <translation>移除此提示词。</translation>
    </message>
    <message>
        <source>What happens from here on</source>
        <translation>从这里开始发生什么</translation>
    </message>
    <message>
        <source>Prompt from here on</source>
        <translation>从此处起的提示词</translation>
    </message>
    <message>
        <source>Describe the whole picture again, with what is different.</source>
        <translation>重新描述整个画面，并写明变化之处。</translation>
    </message>
    <message>
        <source>From part</source>
        <translation>从第几部分起</translation>
    </message>
    <message>
        <source> s</source>
        <translation> 秒</translation>
    </message>
    <message>
        <source>at {} s</source>
        <translation>{} 秒处</translation>
    </message>
</context>
<context>
    <name>LaterPrompts</name>
    <message>
        <source>Direct over time</source>
        <translation>分段提示词</translation>
    </message>
    <message>
        <source>Give later parts of the video prompts of their own.</source>
        <translation>为视频后面的部分设置各自的提示词。</translation>
    </message>
    <message>
        <source>A later prompt counts from its part of the video on.</source>
        <translation>后面的提示词从视频的相应部分起生效。</translation>
    </message>
    <message>
        <source>Add a prompt</source>
        <translation>添加提示词</translation>
    </message>
    <message>
        <source>Add a prompt for a later part of the video.</source>
        <translation>为视频后面的部分添加提示词。</translation>
    </message>
    <message>
        <source>Open a storyboard…</source>
        <translation>打开分镜脚本…</translation>
    </message>
    <message>
        <source>Take prompts and their times from a text, SRT or CSV file.</source>
        <translation>从文本、SRT 或 CSV 文件读取提示词及其时间。</translation>
    </message>
    <message>
        <source>Save as a storyboard…</source>
        <translation>另存为分镜脚本…</translation>
    </message>
    <message>
        <source>Write all prompts and their times as a text, SRT or CSV file.</source>
        <translation>把所有提示词及其时间写成文本、SRT 或 CSV 文件。</translation>
    </message>
    <message>
        <source>Open a storyboard</source>
        <translation>打开分镜脚本</translation>
    </message>
    <message>
        <source>Save as a storyboard</source>
        <translation>另存为分镜脚本</translation>
    </message>
    <message>
        <source>Text</source>
        <translation>文本</translation>
    </message>
    <message>
        <source>Subtitles</source>
        <translation>字幕</translation>
    </message>
    <message>
        <source>Table</source>
        <translation>表格</translation>
    </message>
    <message>
        <source>Storyboards</source>
        <translation>分镜脚本</translation>
    </message>
</context>
<context>
    <name>LengthRow</name>
    <message>
        <source> s</source>
        <translation> 秒</translation>
    </message>
    <message>
        <source>&amp;Until I stop</source>
        <translation>直到我停止(&amp;U)</translation>
    </message>
    <message>
        <source>Until I stop</source>
        <translation>直到我停止</translation>
    </message>
    <message>
        <source>The video goes on, second after second, until you press Stop.</source>
        <translation>视频会一秒接一秒地继续，直到您点击“停止”。</translation>
    </message>
    <message>
        <source>How long the video becomes; it is made one part after another.</source>
        <translation>视频的时长；它一部分接一部分地制作。</translation>
    </message>
    <message>
        <source>A new second follows until you press Stop.</source>
        <translation>按“停止”之前，会一秒接一秒地继续。</translation>
    </message>
    <message>
        <source>&amp;Length</source>
        <translation>时长(&amp;L)</translation>
    </message>
    <message>
        <source>Length in seconds</source>
        <translation>时长（秒）</translation>
    </message>
</context>
<context>
    <name>LibraryModel</name>
    <message numerus="yes">
        <source>%n take(s)</source>
        <translation>
            <numerusform>%n 个版本</numerusform>
        </translation>
    </message>
    <message>
        <source>File is gone</source>
        <translation>文件已丢失</translation>
    </message>
    <message>
        <source>Audition</source>
        <translation>试镜</translation>
    </message>
    <message>
        <source>Partial</source>
        <translation>不完整</translation>
    </message>
    <message>
        <source>8-bit arithmetic</source>
        <translation>8 位运算</translation>
    </message>
</context>
<context>
    <name>LibraryPanel</name>
    <message>
        <source>Search prompts</source>
        <translation>搜索提示词</translation>
    </message>
    <message>
        <source>Show only videos whose prompt has these words (Ctrl+F).</source>
        <translation>只显示提示词中含有这些词的视频 (Ctrl+F)。</translation>
    </message>
    <message>
        <source>Search the library</source>
        <translation>搜索作品库</translation>
    </message>
    <message>
        <source>Library</source>
        <translation>作品库</translation>
    </message>
    <message>
        <source>Show or hide its takes</source>
        <translation>显示或收起它的各个版本</translation>
    </message>
    <message>
        <source>Order</source>
        <translation>排序</translation>
    </message>
    <message>
        <source>In what order the videos stand.</source>
        <translation>视频的排列顺序。</translation>
    </message>
    <message>
        <source>Newest first</source>
        <translation>最新的在前</translation>
    </message>
    <message>
        <source>Oldest first</source>
        <translation>最早的在前</translation>
    </message>
    <message>
        <source>Longest first</source>
        <translation>最长的在前</translation>
    </message>
    <message>
        <source>By prompt</source>
        <translation>按提示词</translation>
    </message>
    <message>
        <source>By name of the file</source>
        <translation>按文件名</translation>
    </message>
    <message>
        <source>Favourites only</source>
        <translation>只看收藏</translation>
    </message>
    <message>
        <source>Show only your favourites.</source>
        <translation>只显示收藏的视频。</translation>
    </message>
    <message>
        <source>Export</source>
        <translation>导出</translation>
    </message>
    <message>
        <source>Save copies in another format.</source>
        <translation>以其他格式保存副本。</translation>
    </message>
    <message>
        <source>Nothing made yet. Every finished video is kept here.</source>
        <translation>还没有作品。完成的视频都会保存在这里。</translation>
    </message>
    <message>
        <source>No video has “{words}” in its prompt.</source>
        <translation>没有提示词包含“{words}”的视频。</translation>
    </message>
    <message>
        <source>No favourites yet: the star marks a video as one.</source>
        <translation>还没有收藏：点星标即可收藏视频。</translation>
    </message>
    <message numerus="yes">
        <source>%n video(s)</source>
        <translation>
            <numerusform>%n 个视频</numerusform>
        </translation>
    </message>
    <message>
        <source>{chosen} of {total} selected</source>
        <translation>已选 {chosen} 个，共 {total} 个</translation>
    </message>
</context>
<context>
    <name>LicenceDialog</name>
    <message>
        <source>Licence</source>
        <translation>许可证</translation>
    </message>
    <message>
        <source>Its authors ({0}) publish it under the licence {1}. Downloading it means that you accept that licence. You are asked only once.</source>
        <translation>作者（{0}）以 {1} 许可证发布此模型。下载即表示您接受该许可证。只会询问一次。</translation>
    </message>
    <message>
        <source>Opens the text of the licence in the browser.</source>
        <translation>在浏览器中打开许可证全文。</translation>
    </message>
    <message>
        <source>The text of the licence</source>
        <translation>许可证全文</translation>
    </message>
    <message>
        <source>Accept and download ({})</source>
        <translation>接受并下载（{}）</translation>
    </message>
    <message>
        <source>Accepts the licence and begins the download.</source>
        <translation>接受许可证并开始下载。</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Nothing is downloaded.</source>
        <translation>不下载任何内容。</translation>
    </message>
    <message>
        <source>Licence of {}</source>
        <translation>{} 的许可证</translation>
    </message>
</context>
<context>
    <name>LookBackRow</name>
    <message>
        <source>as far as there is</source>
        <translation>不限</translation>
    </message>
    <message>
        <source>Look back while denoising</source>
        <translation>去噪时的回看</translation>
    </message>
    <message>
        <source>Chunks each chunk sees, itself included, from the noisiest stage on.</source>
        <translation>从噪声最大的阶段起，每个片段能看到的片段数，含自身。</translation>
    </message>
    <message>
        <source>One number for each stage, noisiest first.</source>
        <translation>每个阶段一个数字，噪声最大的在前。</translation>
    </message>
    <message>
        <source>Write numbers from 1 to {}, such as 5, 4, 3, 2.</source>
        <translation>请填写 1 到 {} 的数字，例如 5, 4, 3, 2。</translation>
    </message>
</context>
<context>
    <name>Machine</name>
    <message>
        <source>Runs on this graphics card: {0} of {1}.</source>
        <translation>可在这块显卡上运行：显存 {0} / {1}。</translation>
    </message>
    <message>
        <source>Runs on the processor: {0} of {1} memory.</source>
        <translation>在处理器上运行：内存 {0} / {1}。</translation>
    </message>
    <message>
        <source>{length} of video take roughly {time}.</source>
        <translation>生成 {length}视频大约需要 {time}。</translation>
    </message>
    <message>
        <source>But {length} of video take roughly {time}.</source>
        <translation>但生成 {length}视频大约需要 {time}。</translation>
    </message>
    <message>
        <source>{} to download.</source>
        <translation>需下载 {}。</translation>
    </message>
    <message>
        <source>{0} to download; that takes {1} of room, but only {2} are free on the disk.</source>
        <translation>需下载 {0}，共需 {1} 空间，但磁盘上只有 {2} 可用。</translation>
    </message>
    <message>
        <source>{0} to download; {1} are free on the disk.</source>
        <translation>需下载 {0}；磁盘剩余 {1}。</translation>
    </message>
    <message>
        <source>{0} on the disk, of which only {1} are free.</source>
        <translation>占用磁盘 {0}，但只剩 {1} 可用。</translation>
    </message>
    <message>
        <source>{0} on the disk; making it takes roughly {1}.</source>
        <translation>占用磁盘 {0}；制作大约需要 {1}。</translation>
    </message>
</context>
<context>
    <name>MainWindow</name>
    <message>
        <source>Describe a video and press Generate</source>
        <translation>描述一段视频，然后点击“生成”</translation>
    </message>
    <message>
        <source>It appears here while it is made, one second after the other.</source>
        <translation>视频边生成边在这里逐秒呈现。</translation>
    </message>
    <message>
        <source>Queue</source>
        <translation>队列</translation>
    </message>
    <message>
        <source>Library</source>
        <translation>作品库</translation>
    </message>
    <message>
        <source>Queue, held</source>
        <translation>队列（已暂停）</translation>
    </message>
    <message>
        <source>The text was added to the prompt.</source>
        <translation>文字已添加到提示词中。</translation>
    </message>
    <message>
        <source>Saved: {}</source>
        <translation>已保存：{}</translation>
    </message>
    <message>
        <source>Your video is ready</source>
        <translation>您的视频已完成</translation>
    </message>
    <message>
        <source>The video could not be made</source>
        <translation>未能生成视频</translation>
    </message>
    <message>
        <source>Use it</source>
        <translation>使用</translation>
    </message>
    <message>
        <source>Your model is ready</source>
        <translation>模型已就绪</translation>
    </message>
    <message>
        <source>The model could not be got ready</source>
        <translation>模型未能准备好</translation>
    </message>
    <message>
        <source>A video is being exported.</source>
        <translation>正在导出视频。</translation>
    </message>
    <message>
        <source>If you quit now, nothing of it is kept.</source>
        <translation>现在退出的话，不会保留任何导出内容。</translation>
    </message>
    <message>
        <source>Keep exporting</source>
        <translation>继续导出</translation>
    </message>
    <message>
        <source>Nothing is kept of the export that is under way.</source>
        <translation>正在进行的导出不会保留。</translation>
    </message>
    <message>
        <source>A video is being made.</source>
        <translation>正在生成视频。</translation>
    </message>
    <message>
        <source>If you quit now, what is finished of it is kept as a video.</source>
        <translation>如果现在退出，已完成的部分会保存为视频。</translation>
    </message>
    <message>
        <source>Stop and quit</source>
        <translation>停止并退出</translation>
    </message>
</context>
<context>
    <name>Making</name>
    <message>
        <source>Stop before the video is complete?</source>
        <translation>视频尚未完成，要停止吗？</translation>
    </message>
    <message>
        <source>What is finished of it is kept as a video; the rest is not made.</source>
        <translation>已完成的部分会保留为视频，其余部分不再生成。</translation>
    </message>
    <message>
        <source>Nothing of it is finished yet, so that nothing is kept.</source>
        <translation>还没有任何部分完成，因此不会保留任何内容。</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>It was stopped before anything of it was finished.</source>
        <translation>停止时还没有任何部分完成。</translation>
    </message>
    <message>
        <source>Make it again</source>
        <translation>重新生成</translation>
    </message>
    <message>
        <source>Keep making it</source>
        <translation>继续生成</translation>
    </message>
    <message>
        <source>There is no prompt.</source>
        <translation>没有提示词。</translation>
    </message>
    <message>
        <source>Say what the video shall show, or let the model show what it likes.</source>
        <translation>请说明视频要展示什么，或让模型自由发挥。</translation>
    </message>
    <message>
        <source>Write a prompt</source>
        <translation>写提示词</translation>
    </message>
    <message>
        <source>Use an example</source>
        <translation>使用示例</translation>
    </message>
    <message>
        <source>Generate without</source>
        <translation>不用提示词生成</translation>
    </message>
    <message>
        <source>You are editing a queued video: it is held until you put it back.</source>
        <translation>您正在编辑队列中的视频：放回之前它不会开始。</translation>
    </message>
    <message>
        <source>Leave it as it was</source>
        <translation>保持原样</translation>
    </message>
    <message>
        <source>The queue is held: nothing starts until you resume it.</source>
        <translation>队列已暂停，点击“继续”后才会开始。</translation>
    </message>
    <message>
        <source>A video was interrupted as the program ended; the queue is held.</source>
        <translation>程序结束时有一个视频被中断；队列已暂停。</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>Its seed is locked with it: every video gets seed {}.</source>
        <translation>种子也一并锁定：每个视频都使用种子 {}。</translation>
    </message>
    <message>
        <source>A fresh seed each</source>
        <translation>每次使用新种子</translation>
    </message>
    <message numerus="yes">
        <source>%n prompt(s) of a storyboard are in place of those before.</source>
        <translation>
            <numerusform>分镜脚本的 %n 条提示词取代了之前的提示词。</numerusform>
        </translation>
    </message>
    <message>
        <source>The prompt was removed.</source>
        <translation>提示词已移除。</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>Get it…</source>
        <translation>获取…</translation>
    </message>
</context>
<context>
    <name>Menus</name>
    <message>
        <source>&amp;Player</source>
        <translation>播放(&amp;P)</translation>
    </message>
    <message>
        <source>&amp;File</source>
        <translation>文件(&amp;F)</translation>
    </message>
    <message>
        <source>Open a picture or video…</source>
        <translation>打开图片或视频…</translation>
    </message>
    <message>
        <source>Paste as reference</source>
        <translation>粘贴为参考素材</translation>
    </message>
    <message>
        <source>Import a configuration…</source>
        <translation>导入配置…</translation>
    </message>
    <message>
        <source>Export the configuration…</source>
        <translation>导出配置…</translation>
    </message>
    <message>
        <source>&amp;Edit</source>
        <translation>编辑(&amp;E)</translation>
    </message>
    <message>
        <source>Open the folder of videos</source>
        <translation>打开视频文件夹</translation>
    </message>
    <message>
        <source>Models…</source>
        <translation>模型…</translation>
    </message>
    <message>
        <source>Preferences…</source>
        <translation>偏好设置…</translation>
    </message>
    <message>
        <source>Quit</source>
        <translation>退出</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>撤销</translation>
    </message>
    <message>
        <source>Redo</source>
        <translation>重做</translation>
    </message>
    <message>
        <source>&amp;Generate</source>
        <translation>生成(&amp;G)</translation>
    </message>
    <message>
        <source>Generate</source>
        <translation>生成</translation>
    </message>
    <message>
        <source>Generate {} variations</source>
        <translation>生成 {} 个变体</translation>
    </message>
    <message>
        <source>Audition of first seconds…</source>
        <translation>开头试镜…</translation>
    </message>
    <message>
        <source>Show the first seconds</source>
        <translation>显示开头几秒</translation>
    </message>
    <message>
        <source>Pause or resume</source>
        <translation>暂停或继续</translation>
    </message>
    <message>
        <source>Stop and keep the video so far</source>
        <translation>停止并保留已生成的部分</translation>
    </message>
    <message>
        <source>Direct what comes next</source>
        <translation>指导接下来的内容</translation>
    </message>
    <message>
        <source>From text</source>
        <translation>文生视频</translation>
    </message>
    <message>
        <source>From an image</source>
        <translation>图生视频</translation>
    </message>
    <message>
        <source>From a video</source>
        <translation>视频续写</translation>
    </message>
    <message>
        <source>V&amp;ideo</source>
        <translation>视频(&amp;I)</translation>
    </message>
    <message>
        <source>&amp;View</source>
        <translation>视图(&amp;V)</translation>
    </message>
    <message>
        <source>Prompt</source>
        <translation>提示词</translation>
    </message>
    <message>
        <source>Queue</source>
        <translation>队列</translation>
    </message>
    <message>
        <source>Library</source>
        <translation>作品库</translation>
    </message>
    <message>
        <source>Search the library</source>
        <translation>搜索作品库</translation>
    </message>
    <message>
        <source>GPU support and repair…</source>
        <translation>GPU 支持与修复…</translation>
    </message>
    <message>
        <source>&amp;Help</source>
        <translation>帮助(&amp;H)</translation>
    </message>
    <message>
        <source>Guide</source>
        <translation>指南</translation>
    </message>
    <message>
        <source>Keyboard shortcuts</source>
        <translation>键盘快捷键</translation>
    </message>
    <message>
        <source>What this computer can run…</source>
        <translation>这台电脑能运行什么…</translation>
    </message>
    <message>
        <source>How fast is this computer?…</source>
        <translation>这台电脑有多快？…</translation>
    </message>
    <message>
        <source>Check for updates…</source>
        <translation>检查更新…</translation>
    </message>
    <message>
        <source>Where things are kept…</source>
        <translation>文件存放位置…</translation>
    </message>
    <message>
        <source>Copy diagnostics</source>
        <translation>复制诊断信息</translation>
    </message>
    <message>
        <source>Open the folder of logs</source>
        <translation>打开日志文件夹</translation>
    </message>
    <message>
        <source>About Magi Desktop</source>
        <translation>关于 Magi Desktop</translation>
    </message>
</context>
<context>
    <name>Messages</name>
    <message>
        <source>, </source>
        <translation>、</translation>
    </message>
    <message>
        <source>8 steps are noisy with an fp8 model; 16 look better.</source>
        <translation>fp8 模型用 8 步噪点较多；16 步效果更好。</translation>
    </message>
    <message>
        <source>A KV range counts chunks and must be at least 1.</source>
        <translation>KV 范围以片段计数，至少为 1。</translation>
    </message>
    <message>
        <source>A chunk is {shape} large, but recorded as {recorded}.</source>
        <translation>一个片段的大小为 {shape}，而记录为 {recorded}。</translation>
    </message>
    <message>
        <source>A graphics card with 12 GB and fp8; 8 GB are enough if parts of it wait in memory.</source>
        <translation>支持 fp8 计算、12 GB 显存的显卡；如果部分内容放在内存中，8 GB 也够。</translation>
    </message>
    <message>
        <source>A graphics card with 16 GB; 8 GB are enough if parts of it wait in memory.</source>
        <translation>16 GB 显存的显卡；如果部分内容放在内存中，8 GB 也够。</translation>
    </message>
    <message>
        <source>A graphics card with 32 GB that computes in fp8, or one with 24 GB and 32 GB of memory.</source>
        <translation>支持 fp8 的 32 GB 显卡，或 24 GB 显卡加 32 GB 内存。</translation>
    </message>
    <message>
        <source>A graphics card with 80 GB, or one with 24 GB and 64 GB of memory.</source>
        <translation>80 GB 显存的显卡，或 24 GB 显存加 64 GB 内存。</translation>
    </message>
    <message>
        <source>A library that Windows should have is missing or too old.</source>
        <translation>缺少一个 Windows 应有的库，或其版本过旧。</translation>
    </message>
    <message>
        <source>A model cannot be called {name!r}.</source>
        <translation>模型不能叫 {name!r}。</translation>
    </message>
    <message>
        <source>A part of {length:g} s of a clip cannot start a video.</source>
        <translation>视频不能从素材中 {length:g} 秒的部分开始。</translation>
    </message>
    <message>
        <source>A picture cannot be {width}x{height}.</source>
        <translation>图片的大小不能是 {width}x{height}。</translation>
    </message>
    <message>
        <source>A text-to-video generation takes no image or video.</source>
        <translation>文生视频不使用图像或视频。</translation>
    </message>
    <message>
        <source>A video can start from {least} frames or more: choose a longer part or clip.</source>
        <translation>至少需要 {least} 帧才能开始：请选择更长的部分或视频。</translation>
    </message>
    <message>
        <source>A video cannot be {seconds:g} seconds long.</source>
        <translation>视频长度不能是 {seconds:g} 秒。</translation>
    </message>
    <message>
        <source>A video cannot be {width}x{height}: its sides must be positive and even.</source>
        <translation>视频的大小不能是 {width}x{height}：边长必须是正偶数。</translation>
    </message>
    <message>
        <source>A video cannot have {fps} frames per second.</source>
        <translation>视频不能是每秒 {fps} 帧。</translation>
    </message>
    <message>
        <source>A video cannot have {frames} frames.</source>
        <translation>视频不能有 {frames} 帧。</translation>
    </message>
    <message>
        <source>A video cannot replace itself.</source>
        <translation>视频不能覆盖自身。</translation>
    </message>
    <message>
        <source>A video of {width} x {height} in {steps:step|steps}</source>
        <translation>{width} x {height} 的视频，{steps} 步</translation>
    </message>
    <message>
        <source>A video without an end cannot look back without a limit.</source>
        <translation>没有结尾的视频不能无限回看。</translation>
    </message>
    <message>
        <source>A video without end cannot look back to its beginning.</source>
        <translation>没有终点的视频无法一直回看到开头。</translation>
    </message>
    <message>
        <source>A window of {window} chunks is not possible.</source>
        <translation>窗口不能是 {window} 个片段。</translation>
    </message>
    <message>
        <source>A {kind} model does not work with cfg_number {cfg_number}.</source>
        <translation>{kind}模型不能使用 cfg_number {cfg_number}。</translation>
    </message>
    <message>
        <source>Accept it with --yes.</source>
        <translation>请用 --yes 接受。</translation>
    </message>
    <message>
        <source>Added: {titles}.</source>
        <translation>已添加：{titles}。</translation>
    </message>
    <message>
        <source>Agree with --yes.</source>
        <translation>请用 --yes 同意。</translation>
    </message>
    <message>
        <source>All files of {title} are as they were published.</source>
        <translation>{title} 的所有文件都与发布时一致。</translation>
    </message>
    <message>
        <source>All files of {title} are whole; from now on any change is noticed.</source>
        <translation>{title} 的所有文件都完整；从现在起任何改动都会被发现。</translation>
    </message>
    <message>
        <source>All files of {title} are whole; what was published could not be asked.</source>
        <translation>{title} 的所有文件都完整；未能查询发布的内容。</translation>
    </message>
    <message>
        <source>Allow it in your virus scanner or under App &amp; browser control, then try again.</source>
        <translation>请在杀毒软件或“应用和浏览器控制”中允许它，然后重试。</translation>
    </message>
    <message>
        <source>Allow yourself to write there, then try again.</source>
        <translation>请取得那里的写入权限，然后重试。</translation>
    </message>
    <message>
        <source>Also kept from the video these settings are from: {names}.</source>
        <translation>同时保留了这些设置所属视频的：{names}。</translation>
    </message>
    <message>
        <source>Another program is changing {folder} already.</source>
        <translation>另一个程序正在更改 {folder}。</translation>
    </message>
    <message>
        <source>Another video is being generated.</source>
        <translation>正在生成另一个视频。</translation>
    </message>
    <message>
        <source>Any computer.</source>
        <translation>任何电脑。</translation>
    </message>
    <message>
        <source>Any computer; faster on graphics cards that compute in fp8.</source>
        <translation>任何电脑；在支持 fp8 计算的显卡上更快。</translation>
    </message>
    <message>
        <source>Ask for a longer video.</source>
        <translation>请生成更长的视频。</translation>
    </message>
    <message>
        <source>Ask for access on its page, then sign in with: hf auth login</source>
        <translation>请在其页面申请访问，然后登录：hf auth login</translation>
    </message>
    <message>
        <source>Ask for at least {least:.2f} seconds.</source>
        <translation>请至少生成 {least:.2f} 秒。</translation>
    </message>
    <message>
        <source>Ask for more than 0 seconds.</source>
        <translation>请设置大于 0 秒。</translation>
    </message>
    <message>
        <source>At most {most} million can be read: scale it down first.</source>
        <translation>最多可读取 {most} 百万像素：请先缩小。</translation>
    </message>
    <message>
        <source>Both sides must be positive.</source>
        <translation>两边都必须是正数。</translation>
    </message>
    <message>
        <source>Change the prompt from chunk {first} on.</source>
        <translation>请从第 {first} 个片段起更改提示词。</translation>
    </message>
    <message>
        <source>Check its permissions.</source>
        <translation>请检查其权限。</translation>
    </message>
    <message>
        <source>Check that it is still there and that its folder may be written to.</source>
        <translation>请检查它是否还在，以及所在文件夹是否可写。</translation>
    </message>
    <message>
        <source>Check that it is still there and that you may open it.</source>
        <translation>请确认它仍然存在，且您有权打开。</translation>
    </message>
    <message>
        <source>Check that the folder may be written to and that there is room.</source>
        <translation>请确认该文件夹可写入且空间充足。</translation>
    </message>
    <message>
        <source>Check that you have permission to open it.</source>
        <translation>请检查您是否有权打开它。</translation>
    </message>
    <message>
        <source>Check the name and the folder.</source>
        <translation>请检查文件名和文件夹。</translation>
    </message>
    <message>
        <source>Check the name.</source>
        <translation>请检查名称。</translation>
    </message>
    <message>
        <source>Check the network or the proxy, then try again.</source>
        <translation>请检查网络或代理，然后重试。</translation>
    </message>
    <message>
        <source>Check the network, the proxy or HF_ENDPOINT.</source>
        <translation>请检查网络、代理或 HF_ENDPOINT。</translation>
    </message>
    <message>
        <source>Check the network, then start the download again: it goes on where it was.</source>
        <translation>请检查网络，然后重新开始下载：会从中断处继续。</translation>
    </message>
    <message>
        <source>Check the repository&apos;s name; if it is private, sign in with: hf auth login</source>
        <translation>请检查仓库名称；如果是私有仓库，请用此命令登录：hf auth login</translation>
    </message>
    <message>
        <source>Choose a box of at least one pixel inside it.</source>
        <translation>请在图片内选择至少一个像素的范围。</translation>
    </message>
    <message>
        <source>Choose a configuration of MAGI-1 or a file this program saved.</source>
        <translation>请选择 MAGI-1 的配置文件或本程序保存的文件。</translation>
    </message>
    <message>
        <source>Choose a file in it.</source>
        <translation>请选择其中的文件。</translation>
    </message>
    <message>
        <source>Choose a folder with all of them.</source>
        <translation>请选择包含全部软件包的文件夹。</translation>
    </message>
    <message>
        <source>Choose a picture of at least {least}x{least}.</source>
        <translation>请选择至少 {least}x{least} 的图片。</translation>
    </message>
    <message>
        <source>Choose a positive number of steps.</source>
        <translation>请选择正的步数。</translation>
    </message>
    <message>
        <source>Choose a range inside the clip.</source>
        <translation>请在素材之内选择范围。</translation>
    </message>
    <message>
        <source>Choose a seed from 0 to 2^63 - 1.</source>
        <translation>请选择 0 到 2^63 - 1 之间的种子。</translation>
    </message>
    <message>
        <source>Choose a shorter one.</source>
        <translation>请换一个更短的名称。</translation>
    </message>
    <message>
        <source>Choose a smaller size, a smaller window or a smaller model.</source>
        <translation>请选择更小的尺寸、窗口或模型。</translation>
    </message>
    <message>
        <source>Choose a video that was generated with it.</source>
        <translation>请选择用本程序生成的视频。</translation>
    </message>
    <message>
        <source>Choose a window from 1 to {most}.</source>
        <translation>请选择 1 到 {most} 的窗口。</translation>
    </message>
    <message>
        <source>12 steps look better with a window of 1, 2 or 4 chunks.</source>
        <translation>12 步搭配 1、2 或 4 个片段的窗口效果更好。</translation>
    </message>
    <message>
        <source>12 steps</source>
        <translation>12 步</translation>
    </message>
    <message>
        <source>A certificate and its key go together.</source>
        <translation>证书和它的密钥要一起给出。</translation>
    </message>
    <message>
        <source>A configuration file cannot be used on another machine.</source>
        <translation>配置文件不能用于另一台计算机。</translation>
    </message>
    <message>
        <source>A distilled model has not learned {steps:step|steps}, and may paint noise; 8, 12, 16 and 32 look right.</source>
        <translation>蒸馏模型没有学过 {steps} 步，可能只生成噪点；8、12、16 和 32 步效果正常。</translation>
    </message>
    <message>
        <source>A farm needs some more packages.</source>
        <translation>渲染集群还需要一些软件包。</translation>
    </message>
    <message>
        <source>A key is for an engine elsewhere.</source>
        <translation>密钥用于其他机器上的引擎。</translation>
    </message>
    <message>
        <source>A request to another machine names no files of it: {field}.</source>
        <translation>发给另一台计算机的请求不能指定它的文件：{field}。</translation>
    </message>
    <message>
        <source>A storyboard and --prompt do not go together.</source>
        <translation>分镜脚本和 --prompt 不能同时使用。</translation>
    </message>
    <message>
        <source>A token in {path} has less than {least} letters.</source>
        <translation>{path} 中有一个密钥少于 {least} 个字符。</translation>
    </message>
    <message>
        <source>A video from another machine needs a file here.</source>
        <translation>来自另一台计算机的视频需要在这里有一个文件。</translation>
    </message>
    <message>
        <source>A video of {earlier:g} frames per second cannot go on with {fps:g}.</source>
        <translation>每秒 {earlier:g} 帧的视频不能以每秒 {fps:g} 帧继续。</translation>
    </message>
    <message>
        <source>A video of {width}x{height} cannot go on as one of another size.</source>
        <translation>{width}x{height} 的视频不能以其他尺寸继续。</translation>
    </message>
    <message>
        <source>Add a line for it.</source>
        <translation>请为它添加一行。</translation>
    </message>
    <message>
        <source>Another machine&apos;s speed cannot be measured from here.</source>
        <translation>无法从这里测量另一台电脑的速度。</translation>
    </message>
    <message>
        <source>Cards need NCCL to work together, which there is on Linux only.</source>
        <translation>多张显卡协同工作需要 NCCL，而它只在 Linux 上才有。</translation>
    </message>
    <message>
        <source>Check the address, and that &apos;magi serve&apos; runs there.</source>
        <translation>请检查地址，并确认那里正在运行 magi serve。</translation>
    </message>
    <message>
        <source>Check the address.</source>
        <translation>请检查地址。</translation>
    </message>
    <message>
        <source>Checking every file…</source>
        <translation>正在检查每个文件…</translation>
    </message>
    <message>
        <source>Choose 1 to {most}.</source>
        <translation>请选择 1 到 {most}。</translation>
    </message>
    <message>
        <source>Choose a folder.</source>
        <translation>请选择一个文件夹。</translation>
    </message>
    <message>
        <source>Choose a longer video, or an earlier place.</source>
        <translation>请选择更长的视频，或更早的位置。</translation>
    </message>
    <message>
        <source>Choose a model that it has.</source>
        <translation>请选择它已有的模型。</translation>
    </message>
    <message>
        <source>Choose a name in it.</source>
        <translation>请在其中选择一个名称。</translation>
    </message>
    <message>
        <source>Choose a name.</source>
        <translation>请选择一个名称。</translation>
    </message>
    <message>
        <source>Choose a shorter name, or a folder that lies in fewer others.</source>
        <translation>请选择更短的名称，或层级更浅的文件夹。</translation>
    </message>
    <message>
        <source>Choose among {listed}.</source>
        <translation>请从中选择：{listed}。</translation>
    </message>
    <message>
        <source>Choose another file.</source>
        <translation>请选择其他文件。</translation>
    </message>
    <message>
        <source>Choose another folder of models.</source>
        <translation>请选择其他模型文件夹。</translation>
    </message>
    <message>
        <source>Choose another folder.</source>
        <translation>请选择其他文件夹。</translation>
    </message>
    <message>
        <source>Choose another in the preferences.</source>
        <translation>请在偏好设置中另选一个。</translation>
    </message>
    <message>
        <source>Choose another name, such as {free}, or one in it.</source>
        <translation>请换一个名称，例如 {free}，或选择其中的一个名称。</translation>
    </message>
    <message>
        <source>Choose another name, such as {free}, or overwrite it: --overwrite</source>
        <translation>请换一个名称（例如 {free}），或用 --overwrite 覆盖它。</translation>
    </message>
    <message>
        <source>Choose another name.</source>
        <translation>请选择其他名称。</translation>
    </message>
    <message>
        <source>Choose another one.</source>
        <translation>请另选一个。</translation>
    </message>
    <message>
        <source>Choose another size, or write a folder of PNG frames.</source>
        <translation>请选择其他大小，或写成 PNG 帧的文件夹。</translation>
    </message>
    <message>
        <source>Choose another video or file.</source>
        <translation>请选择其他视频或文件。</translation>
    </message>
    <message>
        <source>Choose another.</source>
        <translation>请选择其他的。</translation>
    </message>
    <message>
        <source>Choose from 0 to {most}.</source>
        <translation>请选择 0 到 {most}。</translation>
    </message>
    <message>
        <source>Choose from 1 to {most}; the released models are made for 24.</source>
        <translation>请选择 1 到 {most}；发布的模型是为 24 制作的。</translation>
    </message>
    <message>
        <source>Choose it yourself if you trust it.</source>
        <translation>如果您信任它，请自行选择。</translation>
    </message>
    <message>
        <source>Choose more than 0 and at most {most:g} s.</source>
        <translation>请选择大于 0 且不超过 {most:g} 秒。</translation>
    </message>
    <message>
        <source>Choose one of the released models.</source>
        <translation>请选择一个已发布的模型。</translation>
    </message>
    <message>
        <source>Choose one of {choices}.</source>
        <translation>请选择其一：{choices}。</translation>
    </message>
    <message>
        <source>Choose one of: {names}.</source>
        <translation>请从中选择：{names}。</translation>
    </message>
    <message>
        <source>Choose one that has folders such as ckpt/magi/4.5B_distill.</source>
        <translation>请选择含有 ckpt/magi/4.5B_distill 等文件夹的仓库。</translation>
    </message>
    <message>
        <source>Choose that size.</source>
        <translation>请选择该尺寸。</translation>
    </message>
    <message>
        <source>Choose the folder it is in.</source>
        <translation>请选择它所在的文件夹。</translation>
    </message>
    <message>
        <source>Choose the folder that holds the weights.</source>
        <translation>请选择包含权重的文件夹。</translation>
    </message>
    <message>
        <source>Choose the folder that holds “ckpt” or “downloads”, or say what kind of model it is.</source>
        <translation>请选择包含“ckpt”或“downloads”的文件夹，或说明模型的种类。</translation>
    </message>
    <message>
        <source>Choose the folder that holds “ckpt” or “downloads”.</source>
        <translation>请选择包含“ckpt”或“downloads”的文件夹。</translation>
    </message>
    <message>
        <source>Choose the model that the video was made with: {model}.</source>
        <translation>请选择制作该视频所用的模型：{model}。</translation>
    </message>
    <message>
        <source>Choose the one that was moved.</source>
        <translation>请选择被移动的那一个。</translation>
    </message>
    <message>
        <source>Choose the video itself.</source>
        <translation>请选择视频文件本身。</translation>
    </message>
    <message>
        <source>Choose {choices} steps.</source>
        <translation>请选择 {choices} 步。</translation>
    </message>
    <message>
        <source>Choose {earlier:g} frames per second.</source>
        <translation>请选择每秒 {earlier:g} 帧。</translation>
    </message>
    <message>
        <source>Choose {kind}.</source>
        <translation>请选择{kind}。</translation>
    </message>
    <message>
        <source>Choose “Without a GPU”, or report it with the log.</source>
        <translation>请选择“不使用 GPU”，或连同日志一起报告。</translation>
    </message>
    <message>
        <source>Chunk {chunk} cannot be made anew: that video has {kept:chunk|chunks}.</source>
        <translation>无法重新生成第 {chunk} 个片段：那个视频有 {kept} 个片段。</translation>
    </message>
    <message>
        <source>Chunk {chunk} has already started.</source>
        <translation>第 {chunk} 个片段已经开始。</translation>
    </message>
    <message>
        <source>Chunks are counted from 1.</source>
        <translation>片段从 1 开始计数。</translation>
    </message>
    <message>
        <source>Close it, then try again.</source>
        <translation>请先关闭它，然后重试。</translation>
    </message>
    <message>
        <source>Close other programs or choose a smaller size, then try again.</source>
        <translation>请关闭其他程序或选择更小的尺寸，然后重试。</translation>
    </message>
    <message>
        <source>Close other programs, or choose a smaller model or another device.</source>
        <translation>请关闭其他程序，或选择更小的模型或其他设备。</translation>
    </message>
    <message>
        <source>Close other programs, then try again.</source>
        <translation>请关闭其他程序，然后重试。</translation>
    </message>
    <message>
        <source>Close other programs, then try again; on Windows, let it choose its paging file&apos;s size.</source>
        <translation>请关闭其他程序，然后重试；在 Windows 上，请让系统自行决定页面文件的大小。</translation>
    </message>
    <message>
        <source>Close what uses it, then try again.</source>
        <translation>请关闭正在使用它的程序，然后重试。</translation>
    </message>
    <message>
        <source>Connect to the network, then try again: what was fetched is kept.</source>
        <translation>请连接网络，然后重试：已下载的内容会保留。</translation>
    </message>
    <message>
        <source>Continue it from its file instead.</source>
        <translation>请改为从它的文件继续。</translation>
    </message>
    <message>
        <source>Continue it from its file: magi generate --video FILE.</source>
        <translation>请从它的文件继续：magi generate --video FILE。</translation>
    </message>
    <message>
        <source>Convert the text encoder again.</source>
        <translation>请重新转换文本编码器。</translation>
    </message>
    <message>
        <source>Copy the file that &apos;magi serve&apos; names, and say where it is: --token-file FILE</source>
        <translation>请复制“magi serve”所指的文件，并说明它的位置：--token-file FILE</translation>
    </message>
    <message>
        <source>Correct or remove it.</source>
        <translation>请更正或删除它。</translation>
    </message>
    <message>
        <source>Correct that field in the file.</source>
        <translation>请在文件中改正该字段。</translation>
    </message>
    <message>
        <source>Correct that line or take an official configuration file.</source>
        <translation>请改正这一行，或使用官方配置文件。</translation>
    </message>
    <message>
        <source>Correct the KV range.</source>
        <translation>请改正 KV 范围。</translation>
    </message>
    <message>
        <source>Create it first.</source>
        <translation>请先创建它。</translation>
    </message>
    <message>
        <source>Create it or choose another.</source>
        <translation>请创建它或另选一个。</translation>
    </message>
    <message>
        <source>Damaged files of {title}: {count}.</source>
        <translation>{title} 的损坏文件：{count} 个。</translation>
    </message>
    <message>
        <source>Damaged files: {count}.</source>
        <translation>损坏的文件：{count} 个。</translation>
    </message>
    <message>
        <source>Delete it in your file manager.</source>
        <translation>请在文件管理器中删除。</translation>
    </message>
    <message>
        <source>Delete it.</source>
        <translation>请将其删除。</translation>
    </message>
    <message>
        <source>Did you mean {close!r}?</source>
        <translation>您是指 {close!r} 吗？</translation>
    </message>
    <message>
        <source>Download it first.</source>
        <translation>请先下载。</translation>
    </message>
    <message>
        <source>Download it.</source>
        <translation>请下载它。</translation>
    </message>
    <message>
        <source>Download that file again.</source>
        <translation>请重新下载该文件。</translation>
    </message>
    <message>
        <source>Download the autoencoder again.</source>
        <translation>请重新下载自编码器。</translation>
    </message>
    <message>
        <source>Download the model&apos;s files, or correct that field.</source>
        <translation>请下载模型文件，或更正该字段。</translation>
    </message>
    <message>
        <source>Download the model&apos;s files, or give the folder that holds them.</source>
        <translation>请下载模型文件，或指定包含它们的文件夹。</translation>
    </message>
    <message>
        <source>Download the model, or give the folder of models that holds it.</source>
        <translation>请下载该模型，或指定存放它的模型文件夹。</translation>
    </message>
    <message>
        <source>Download the text encoder&apos;s files again.</source>
        <translation>请重新下载文本编码器的文件。</translation>
    </message>
    <message>
        <source>Drop a video onto the window or choose a file.</source>
        <translation>请将视频拖到窗口上或选择文件。</translation>
    </message>
    <message>
        <source>Drop an image onto the window or choose a file.</source>
        <translation>请将图片拖到窗口上或选择文件。</translation>
    </message>
    <message>
        <source>Drop an image, a video, a settings file or text.</source>
        <translation>请拖入图片、视频、设置文件或文字。</translation>
    </message>
    <message>
        <source>Encoding the reference</source>
        <translation>正在编码参考素材</translation>
    </message>
    <message>
        <source>Everybody in its network can run programs on this Ray cluster.</source>
        <translation>同一网络中的任何人都可以在此 Ray 集群上运行程序。</translation>
    </message>
    <message>
        <source>Fetch it again.</source>
        <translation>请重新下载。</translation>
    </message>
    <message>
        <source>Fetching…</source>
        <translation>正在下载…</translation>
    </message>
    <message>
        <source>Files that are not as they were published: {count}.</source>
        <translation>与发布内容不一致的文件：{count} 个。</translation>
    </message>
    <message>
        <source>For example 0,0.0217,0.1,0.3,0.999.</source>
        <translation>例如 0,0.0217,0.1,0.3,0.999。</translation>
    </message>
    <message>
        <source>For redoing videos</source>
        <translation>用于重做视频</translation>
    </message>
    <message>
        <source>Found parts of: {titles}.</source>
        <translation>找到了部分文件：{titles}。</translation>
    </message>
    <message>
        <source>Frames of shape {shape} and type {dtype} do not fit this video.</source>
        <translation>形状为 {shape}、类型为 {dtype} 的帧不适合这个视频。</translation>
    </message>
    <message>
        <source>Free some space or use another disk.</source>
        <translation>请腾出一些空间或使用其他磁盘。</translation>
    </message>
    <message>
        <source>Free some space there.</source>
        <translation>请在那里腾出一些空间。</translation>
    </message>
    <message>
        <source>Free some space, or lower the limit of what is kept.</source>
        <translation>请腾出一些空间，或降低保留量的上限。</translation>
    </message>
    <message>
        <source>Free some space, then try again.</source>
        <translation>请腾出空间，然后重试。</translation>
    </message>
    <message>
        <source>Free some space, then try again: what was fetched is kept.</source>
        <translation>请腾出空间，然后重试：已下载的内容会保留。</translation>
    </message>
    <message>
        <source>Free some space; what was finished so far has been kept.</source>
        <translation>请腾出一些空间；已完成的部分已保留。</translation>
    </message>
    <message>
        <source>Generating</source>
        <translation>正在生成</translation>
    </message>
    <message>
        <source>Get it again.</source>
        <translation>请重新获取。</translation>
    </message>
    <message>
        <source>Get its file again, or a newer version of the program.</source>
        <translation>请重新获取该文件，或获取更新版本的程序。</translation>
    </message>
    <message>
        <source>Get that file again.</source>
        <translation>请重新获取该文件。</translation>
    </message>
    <message>
        <source>Get the special_tokens.npz that belongs to the model again.</source>
        <translation>请重新获取属于该模型的 special_tokens.npz。</translation>
    </message>
    <message>
        <source>Give --host 0.0.0.0.</source>
        <translation>请加上 --host 0.0.0.0。</translation>
    </message>
    <message>
        <source>Give --tls-cert and --tls-key, or --insecure if the network is safe.</source>
        <translation>请给出 --tls-cert 和 --tls-key；如果网络安全，也可以用 --insecure。</translation>
    </message>
    <message>
        <source>Give a folder, owner/repository, or the repository&apos;s address.</source>
        <translation>请给出文件夹、所有者/仓库，或仓库网址。</translation>
    </message>
    <message>
        <source>Give a number of chunks, or limit the KV range.</source>
        <translation>请给出片段数，或限制 KV 范围。</translation>
    </message>
    <message>
        <source>Give a positive number.</source>
        <translation>请给出正数。</translation>
    </message>
    <message>
        <source>Give a prompt, an image, a video or a storyboard: {options}.</source>
        <translation>请给出提示词、图片、视频或分镜脚本：{options}。</translation>
    </message>
    <message>
        <source>Give a start and a later end, in seconds.</source>
        <translation>请给出起点和更晚的终点，以秒计。</translation>
    </message>
    <message>
        <source>Give both.</source>
        <translation>请两个都给出。</translation>
    </message>
    <message>
        <source>Give each chunk one prompt, in rising order.</source>
        <translation>请按顺序给每个片段一个提示词。</translation>
    </message>
    <message>
        <source>Give it as a video.</source>
        <translation>请将其作为视频使用。</translation>
    </message>
    <message>
        <source>Give it as an image.</source>
        <translation>请将其作为图像使用。</translation>
    </message>
    <message>
        <source>Give its --engine, too.</source>
        <translation>请同时给出它的 --engine。</translation>
    </message>
    <message>
        <source>Give its name, or leave it out.</source>
        <translation>请给出其名称，或去掉该选项。</translation>
    </message>
    <message>
        <source>Give one such as https://huggingface.co</source>
        <translation>请给出类似 https://huggingface.co 的网址</translation>
    </message>
    <message>
        <source>Give one; it may be empty.</source>
        <translation>请给出一个；可以为空。</translation>
    </message>
    <message>
        <source>Give the JSON file of a case.</source>
        <translation>请给出用例的 JSON 文件。</translation>
    </message>
    <message>
        <source>Give the index to use.</source>
        <translation>请指定要使用的索引。</translation>
    </message>
    <message>
        <source>Give two files in PEM, the key without a password.</source>
        <translation>请提供两个 PEM 文件，其中私钥不能有密码。</translation>
    </message>
    <message>
        <source>Give uint8 frames of shape (T, {height}, {width}, 3).</source>
        <translation>请给出形状为 (T, {height}, {width}, 3) 的 uint8 帧。</translation>
    </message>
    <message>
        <source>Go on behind it with: magi extend</source>
        <translation>要在其后继续，请使用：magi extend</translation>
    </message>
    <message>
        <source>Go to another one first.</source>
        <translation>请先切换到其他文件夹。</translation>
    </message>
    <message>
        <source>Have it mounted without the option noexec, then try again.</source>
        <translation>请在挂载该磁盘时去掉 noexec 选项，然后重试。</translation>
    </message>
    <message>
        <source>Have the certificate of your network&apos;s proxy installed on this computer.</source>
        <translation>请在本机安装您网络代理的证书。</translation>
    </message>
    <message>
        <source>Install Microsoft&apos;s Visual C++ runtime for x64, then try again.</source>
        <translation>请安装 Microsoft 的 x64 版 Visual C++ 运行库，然后重试。</translation>
    </message>
    <message>
        <source>Install the package that contains it, then try again.</source>
        <translation>请安装包含它的软件包，然后重试。</translation>
    </message>
    <message>
        <source>Install the program again.</source>
        <translation>请重新安装本程序。</translation>
    </message>
    <message>
        <source>Install the program again; the log says what is missing.</source>
        <translation>请重新安装本程序；日志里写明了缺少什么。</translation>
    </message>
    <message>
        <source>It is damaged.</source>
        <translation>它已损坏。</translation>
    </message>
    <message>
        <source>It may be damaged or cut off: choose another video.</source>
        <translation>它可能已损坏或不完整：请选择其他视频。</translation>
    </message>
    <message>
        <source>It may be damaged or in an unknown format: choose another file.</source>
        <translation>它可能已损坏或格式未知：请选择其他文件。</translation>
    </message>
    <message>
        <source>It may be damaged.</source>
        <translation>它可能已损坏。</translation>
    </message>
    <message>
        <source>It was saved by a newer version of this program.</source>
        <translation>它由本程序的更新版本保存。</translation>
    </message>
    <message>
        <source>Known are: {names}. A prompt that is to begin like that has one of them before it, such as: go on: {text}</source>
        <translation>已知的有：{names}。若提示词本来就要这样开头，请在它前面写上其中之一，例如：go on: {text}</translation>
    </message>
    <message>
        <source>Known models: {known}.</source>
        <translation>已知模型：{known}。</translation>
    </message>
    <message>
        <source>Leave --models-dir out.</source>
        <translation>请去掉 --models-dir。</translation>
    </message>
    <message>
        <source>Leave at least {chunk:.2g} s between them.</source>
        <translation>两者之间至少相隔 {chunk:.2g} 秒。</translation>
    </message>
    <message>
        <source>Leave it out, or give a name without folders.</source>
        <translation>请省略它，或者给出不带文件夹的名称。</translation>
    </message>
    <message>
        <source>Leave it out.</source>
        <translation>请去掉它。</translation>
    </message>
    <message>
        <source>Leave one of them out.</source>
        <translation>请去掉其中一个。</translation>
    </message>
    <message>
        <source>Leave the reference out, or choose the mode i2v or v2v.</source>
        <translation>请去掉参考素材，或选择 i2v 或 v2v 模式。</translation>
    </message>
    <message>
        <source>Leave them out, or choose a base model.</source>
        <translation>请去掉它们，或选择基础模型。</translation>
    </message>
    <message>
        <source>Like {title}; added from {source}.</source>
        <translation>与 {title} 同类；添加自 {source}。</translation>
    </message>
    <message>
        <source>List some of {known}.</source>
        <translation>请从中列出：{known}。</translation>
    </message>
    <message>
        <source>Loading the autoencoder</source>
        <translation>正在加载自编码器</translation>
    </message>
    <message>
        <source>Loading the model</source>
        <translation>正在加载模型</translation>
    </message>
    <message>
        <source>Loading the text encoder</source>
        <translation>正在加载文本编码器</translation>
    </message>
    <message>
        <source>Look at the folder {folder}.</source>
        <translation>请检查文件夹 {folder}。</translation>
    </message>
    <message>
        <source>Look for it in the trash.</source>
        <translation>请在回收站中查找。</translation>
    </message>
    <message>
        <source>Magi Desktop is running.</source>
        <translation>Magi Desktop 正在运行。</translation>
    </message>
    <message>
        <source>Make it with: {command}</source>
        <translation>请用此命令制作：{command}</translation>
    </message>
    <message>
        <source>Make it your mirror first: magi models mirror {place}</source>
        <translation>请先把它设为您的镜像：magi models mirror {place}</translation>
    </message>
    <message>
        <source>Make the picture {width}x{height}.</source>
        <translation>把画面改为 {width}x{height}。</translation>
    </message>
    <message>
        <source>Making a model to measure with</source>
        <translation>正在生成测量用的模型</translation>
    </message>
    <message>
        <source>Measuring products and attention</source>
        <translation>正在测量矩阵乘法和注意力</translation>
    </message>
    <message>
        <source>Models are downloaded from {source}.</source>
        <translation>模型将从 {source} 下载。</translation>
    </message>
    <message>
        <source>NVRTC does not work ({why}): set the program up again</source>
        <translation>NVRTC 无法工作（{why}）：请重新设置本程序</translation>
    </message>
    <message>
        <source>Negative tokens do nothing in a distilled model, which always has the prompt.</source>
        <translation>负面词元在蒸馏模型中不起作用，它始终使用提示词。</translation>
    </message>
    <message>
        <source>No NVIDIA GPU was found: videos are made on the CPU.</source>
        <translation>未找到 NVIDIA GPU：视频将在 CPU 上生成。</translation>
    </message>
    <message>
        <source>No engine answers.</source>
        <translation>没有引擎应答。</translation>
    </message>
    <message>
        <source>No frame was written to {name}.</source>
        <translation>没有向 {name} 写入任何帧。</translation>
    </message>
    <message>
        <source>No known transition begins “{text}”.</source>
        <translation>“{text}” 不是以已知的转场开头。</translation>
    </message>
    <message>
        <source>No model in the official layout was found in {folder}.</source>
        <translation>在 {folder} 中没有找到官方布局的模型。</translation>
    </message>
    <message>
        <source>No released model was found in {path}.</source>
        <translation>在 {path} 中没有找到已发布的模型。</translation>
    </message>
    <message>
        <source>Not all packages are in {folder}.</source>
        <translation>{folder} 中的软件包不齐全。</translation>
    </message>
    <message>
        <source>Not read by the model, or only in part: “{shown}”.</source>
        <translation>模型不会读取、或只读取一部分：“{shown}”。</translation>
    </message>
    <message>
        <source>Nothing can be linked into {folder}.</source>
        <translation>无法在 {folder} 中创建链接。</translation>
    </message>
    <message>
        <source>Nothing can be served at {host}, port {port}.</source>
        <translation>无法在 {host} 的端口 {port} 提供服务。</translation>
    </message>
    <message>
        <source>Nothing can be written to {folder}.</source>
        <translation>无法写入 {folder}。</translation>
    </message>
    <message>
        <source>Nothing is left to make: the video would end before the place it starts from.</source>
        <translation>没有可制作的内容：视频会在起始位置之前结束。</translation>
    </message>
    <message>
        <source>Nothing of this prompt is read by the model: “{shown}”.</source>
        <translation>模型不会读取此提示词的任何内容：“{shown}”。</translation>
    </message>
    <message>
        <source>Nothing of {model} can be removed.</source>
        <translation>{model} 没有可以移除的内容。</translation>
    </message>
    <message>
        <source>Nothing of {title} was downloaded or added here.</source>
        <translation>这里没有下载或添加过 {title} 的任何文件。</translation>
    </message>
    <message>
        <source>Nothing says what the video begins with.</source>
        <translation>没有说明视频从什么开始。</translation>
    </message>
    <message>
        <source>Nothing was removed.</source>
        <translation>没有移除任何内容。</translation>
    </message>
    <message>
        <source>One card makes this video. {why}</source>
        <translation>此视频由一张显卡生成。{why}</translation>
    </message>
    <message>
        <source>One of them does not answer any more.</source>
        <translation>其中一张不再响应。</translation>
    </message>
    <message>
        <source>Only graphics cards make a video together.</source>
        <translation>只有显卡才能共同生成一个视频。</translation>
    </message>
    <message>
        <source>Only the address of the picture was dropped, not the picture.</source>
        <translation>拖入的只是图片的地址，而不是图片本身。</translation>
    </message>
    <message>
        <source>Only the first {seconds:g} s of {name} are kept for redoing.</source>
        <translation>{name} 只有前 {seconds:g} 秒保留下来可供重做。</translation>
    </message>
    <message>
        <source>Only this machine is served: there is nothing to announce.</source>
        <translation>只为本机服务：没有什么可公布的。</translation>
    </message>
    <message>
        <source>Open a new file.</source>
        <translation>请打开新文件。</translation>
    </message>
    <message>
        <source>Open it as it is.</source>
        <translation>请直接打开它。</translation>
    </message>
    <message>
        <source>Others can read the tokens in {path}.</source>
        <translation>其他人可以读取 {path} 中的密钥。</translation>
    </message>
    <message>
        <source>Pages of other sites may not use this server.</source>
        <translation>其他网站的页面不能使用此服务器。</translation>
    </message>
    <message>
        <source>Please report it with the details from the log.</source>
        <translation>请附上日志详情报告此问题。</translation>
    </message>
    <message>
        <source>Please report it with {log_file}.</source>
        <translation>请附上 {log_file} 报告此问题。</translation>
    </message>
    <message>
        <source>Preparing for this size</source>
        <translation>正在为此尺寸做准备</translation>
    </message>
    <message>
        <source>Programs for the graphics card</source>
        <translation>显卡程序</translation>
    </message>
    <message>
        <source>Prompts</source>
        <translation>提示词</translation>
    </message>
    <message>
        <source>Put the right files in its folder, then check it again.</source>
        <translation>请把正确的文件放进它的文件夹，然后再检查一次。</translation>
    </message>
    <message>
        <source>Put the right ones in their place.</source>
        <translation>请把正确的文件放到原处。</translation>
    </message>
    <message>
        <source>PyTorch finds no usable NVIDIA GPU</source>
        <translation>PyTorch 找不到可用的 NVIDIA GPU</translation>
    </message>
    <message>
        <source>Python 3.12 could not be fetched.</source>
        <translation>无法下载 Python 3.12。</translation>
    </message>
    <message>
        <source>Reading the prompt</source>
        <translation>正在读取提示词</translation>
    </message>
    <message>
        <source>Reading the reference</source>
        <translation>正在读取参考素材</translation>
    </message>
    <message>
        <source>Ready to use: {titles}.</source>
        <translation>可以使用：{titles}。</translation>
    </message>
    <message>
        <source>Remove that field.</source>
        <translation>请删除该字段。</translation>
    </message>
    <message>
        <source>Remove the file that does not belong to the checkpoint.</source>
        <translation>请移除不属于该检查点的文件。</translation>
    </message>
    <message>
        <source>Remove the file: a good one is made.</source>
        <translation>请删除该文件：会生成一个合适的。</translation>
    </message>
    <message>
        <source>Run &apos;magi models&apos; there.</source>
        <translation>请在那里运行 magi models。</translation>
    </message>
    <message>
        <source>Run magi bench there.</source>
        <translation>请在那台电脑上运行 magi bench。</translation>
    </message>
    <message>
        <source>Run: chmod 600 {path}</source>
        <translation>请运行：chmod 600 {path}</translation>
    </message>
    <message>
        <source>Run: pip install &apos;magi-desktop[farm]&apos;</source>
        <translation>请运行：pip install &apos;magi-desktop[farm]&apos;</translation>
    </message>
    <message>
        <source>Run: pip install &apos;magi-desktop[serve]&apos;</source>
        <translation>请运行：pip install &apos;magi-desktop[serve]&apos;</translation>
    </message>
    <message>
        <source>Save it as text in UTF-8.</source>
        <translation>请将它保存为 UTF-8 文本。</translation>
    </message>
    <message>
        <source>Save the picture first, then drop the file.</source>
        <translation>请先保存图片，再拖入文件。</translation>
    </message>
    <message>
        <source>Save what comes from it as a file first.</source>
        <translation>请先将其内容保存为文件。</translation>
    </message>
    <message>
        <source>Say what kind of model it is.</source>
        <translation>请说明模型的种类。</translation>
    </message>
    <message>
        <source>Scale it down first: a video frame needs far fewer.</source>
        <translation>请先缩小：视频画面不需要这么多像素。</translation>
    </message>
    <message>
        <source>See what is here with: magi models list</source>
        <translation>请用此命令查看现有内容：magi models list</translation>
    </message>
    <message>
        <source>Send another file.</source>
        <translation>请发送另一个文件。</translation>
    </message>
    <message>
        <source>Send it again.</source>
        <translation>请再发送一次。</translation>
    </message>
    <message>
        <source>Send it first, and name it sha256: and the hash of its content.</source>
        <translation>请先发送它，并用 sha256: 加内容的哈希值来称呼它。</translation>
    </message>
    <message>
        <source>Send one as the page of the API says.</source>
        <translation>请按 API 页面所说的发送。</translation>
    </message>
    <message>
        <source>Send something smaller.</source>
        <translation>请发送小一些的内容。</translation>
    </message>
    <message>
        <source>Serving needs some more packages.</source>
        <translation>提供服务还需要一些软件包。</translation>
    </message>
    <message>
        <source>Set a KV range, for example 5,4,3,2, or a length.</source>
        <translation>请设置 KV 范围（例如 5,4,3,2）或长度。</translation>
    </message>
    <message>
        <source>Set cfg_number to {wanted}.</source>
        <translation>请把 cfg_number 设为 {wanted}。</translation>
    </message>
    <message>
        <source>Set the computer&apos;s clock right, then try again.</source>
        <translation>请校准电脑时钟，然后重试。</translation>
    </message>
    <message>
        <source>Ships with the program and runs anywhere: coloured shapes in motion at 128x128.</source>
        <translation>随程序附带，任何电脑都能运行：128x128 的彩色运动图形。</translation>
    </message>
    <message>
        <source>Sign in again with: hf auth login</source>
        <translation>请用此命令重新登录：hf auth login</translation>
    </message>
    <message>
        <source>Sign in to the network if it asks for that; check HF_ENDPOINT.</source>
        <translation>如果网络要求登录，请先登录；并检查 HF_ENDPOINT。</translation>
    </message>
    <message>
        <source>Something unexpected went wrong ({kind}).</source>
        <translation>发生意外错误（{kind}）。</translation>
    </message>
    <message>
        <source>Start Magi Desktop again from the menu.</source>
        <translation>请从菜单重新启动 Magi Desktop。</translation>
    </message>
    <message>
        <source>Start Ray with RAY_AUTH_MODE=token on every machine, or give --insecure.</source>
        <translation>请在每台机器上以 RAY_AUTH_MODE=token 启动 Ray，或使用 --insecure。</translation>
    </message>
    <message>
        <source>Start from a video, or leave that option out.</source>
        <translation>请从视频开始，或去掉该选项。</translation>
    </message>
    <message>
        <source>Start from an earlier place.</source>
        <translation>请从更早的位置开始。</translation>
    </message>
    <message>
        <source>Start the download again.</source>
        <translation>请重新开始下载。</translation>
    </message>
    <message>
        <source>Take the one from the file that &apos;magi serve&apos; names.</source>
        <translation>请使用 magi serve 所说的文件中的密钥。</translation>
    </message>
    <message>
        <source>Take the whole address that &apos;magi serve&apos; says there, with what stands behind the #.</source>
        <translation>请使用那台计算机上 magi serve 显示的完整地址，包括 # 后面的部分。</translation>
    </message>
    <message>
        <source>That can only be done on the computer that makes the videos.</source>
        <translation>这只能在制作视频的计算机上完成。</translation>
    </message>
    <message>
        <source>That cannot be asked with {method}.</source>
        <translation>不能用 {method} 提出此请求。</translation>
    </message>
    <message>
        <source>That is more than {most:bytes}.</source>
        <translation>超过了 {most:bytes}。</translation>
    </message>
    <message>
        <source>That is neither an image nor a video that can be read.</source>
        <translation>这不是可以读取的图片或视频。</translation>
    </message>
    <message>
        <source>That is no SHA-256 hash.</source>
        <translation>这不是 SHA-256 哈希值。</translation>
    </message>
    <message>
        <source>That is no key of a request.</source>
        <translation>这不是请求的标识。</translation>
    </message>
    <message>
        <source>That is no key.</source>
        <translation>这不是密钥。</translation>
    </message>
    <message>
        <source>That is no number of engines.</source>
        <translation>这不是有效的引擎数量。</translation>
    </message>
    <message>
        <source>That is no task.</source>
        <translation>这不是任务。</translation>
    </message>
    <message>
        <source>That part has already started; the new prompt applies from {seconds} s on.</source>
        <translation>该部分已经开始；新提示词从第 {seconds} 秒起生效。</translation>
    </message>
    <message>
        <source>That video was made to its end.</source>
        <translation>该视频已制作完成。</translation>
    </message>
    <message>
        <source>The array {name} in {path} is {dtype} of shape {shape}, but must be floats of shape ({min_rows} or more, width).</source>
        <translation>{path} 中的数组 {name} 是形状为 {shape} 的 {dtype}，但必须是形状为（{min_rows} 或更多，宽度）的浮点数。</translation>
    </message>
    <message>
        <source>The attention {name!r} is for NVIDIA graphics cards; it is not used here.</source>
        <translation>注意力 {name!r} 适用于 NVIDIA 显卡，此处不使用。</translation>
    </message>
    <message>
        <source>The autoencoder</source>
        <translation>自编码器</translation>
    </message>
    <message>
        <source>The autoencoder&apos;s configuration {path} cannot be read.</source>
        <translation>无法读取自编码器的配置 {path}。</translation>
    </message>
    <message>
        <source>The body is no request in JSON.</source>
        <translation>请求正文不是 JSON 格式的请求。</translation>
    </message>
    <message>
        <source>The certificate of {address} is not known.</source>
        <translation>{address} 的证书未知。</translation>
    </message>
    <message>
        <source>The clip has no range from {start_s:g} s to {end_s:g} s.</source>
        <translation>素材中没有从 {start_s:g} 秒到 {end_s:g} 秒的范围。</translation>
    </message>
    <message>
        <source>The configuration file {path} cannot be read.</source>
        <translation>无法读取配置文件 {path}。</translation>
    </message>
    <message>
        <source>The connection was cut.</source>
        <translation>连接中断了。</translation>
    </message>
    <message>
        <source>The connection was lost.</source>
        <translation>连接已中断。</translation>
    </message>
    <message>
        <source>The crop box leaves the picture, which is {width:g}x{height:g}.</source>
        <translation>裁剪范围超出了大小为 {width:g}x{height:g} 的图片。</translation>
    </message>
    <message>
        <source>The current folder is gone.</source>
        <translation>当前文件夹已不存在。</translation>
    </message>
    <message>
        <source>The device mps was asked for, but it does not work here.</source>
        <translation>指定了设备 mps，但它在这里无法使用。</translation>
    </message>
    <message>
        <source>The device {name} was asked for, but {found}.</source>
        <translation>指定了设备 {name}，但{found}。</translation>
    </message>
    <message>
        <source>The disk is full.</source>
        <translation>磁盘已满。</translation>
    </message>
    <message>
        <source>The disk of {folder} cannot hold a file of this size.</source>
        <translation>{folder} 所在的磁盘无法存放这么大的文件。</translation>
    </message>
    <message>
        <source>The driver of {gpus} is too old: update it and come back, or go on with the CPU.</source>
        <translation>{gpus} 的驱动程序过旧：请更新后再来，或继续使用 CPU。</translation>
    </message>
    <message>
        <source>The engine could not be started.</source>
        <translation>无法启动引擎。</translation>
    </message>
    <message>
        <source>The engine has stopped unexpectedly.</source>
        <translation>引擎意外停止。</translation>
    </message>
    <message>
        <source>The engine that made this is gone.</source>
        <translation>生成此视频的引擎已不在。</translation>
    </message>
    <message>
        <source>The environment could not be made.</source>
        <translation>无法创建运行环境。</translation>
    </message>
    <message>
        <source>The file does not have the hash that was said.</source>
        <translation>该文件的哈希值与所说的不符。</translation>
    </message>
    <message>
        <source>The file that was fetched has been changed or removed since.</source>
        <translation>下载的文件后来被更改或删除了。</translation>
    </message>
    <message>
        <source>The file {name} cannot be written there: {reason}.</source>
        <translation>无法在该处写入文件 {name}：{reason}。</translation>
    </message>
    <message>
        <source>The file {path} came with other content than was announced.</source>
        <translation>文件 {path} 的内容与公布的不符。</translation>
    </message>
    <message>
        <source>The file {path} is missing.</source>
        <translation>缺少文件 {path}。</translation>
    </message>
    <message>
        <source>The file {path} that ships with the program is missing.</source>
        <translation>缺少随程序提供的文件 {path}。</translation>
    </message>
    <message>
        <source>The files of {title} have not been checked yet, or were changed.</source>
        <translation>{title} 的文件尚未检查，或已被改动。</translation>
    </message>
    <message>
        <source>The first {seconds:.1f} s are kept in {name}.</source>
        <translation>前 {seconds:.1f} 秒保存在 {name} 中。</translation>
    </message>
    <message>
        <source>The folder for videos cannot be made: {folder}</source>
        <translation>无法创建视频文件夹：{folder}</translation>
    </message>
    <message>
        <source>The folder {folder} cannot be read.</source>
        <translation>无法读取文件夹 {folder}。</translation>
    </message>
    <message>
        <source>The folder {folder} holds no weights (looked for an index file and for {names}).</source>
        <translation>文件夹 {folder} 中没有权重（查找了索引文件和 {names}）。</translation>
    </message>
    <message>
        <source>The folder {folder} holds no weights.</source>
        <translation>文件夹 {folder} 中没有权重。</translation>
    </message>
    <message>
        <source>The folder {folder} is not there.</source>
        <translation>文件夹 {folder} 不存在。</translation>
    </message>
    <message>
        <source>The frames of {name} are {width}x{height} pixels.</source>
        <translation>{name} 的帧为 {width}x{height} 像素。</translation>
    </message>
    <message>
        <source>The graphics card is slower than it could be. {why}.</source>
        <translation>显卡未能发挥全部速度。{why}。</translation>
    </message>
    <message>
        <source>The graphics cards that made this video together have lost one of them. {why}</source>
        <translation>共同生成此视频的显卡中有一张已失去联系。{why}</translation>
    </message>
    <message>
        <source>The guidance times must rise from 0.</source>
        <translation>引导时间必须从 0 开始递增。</translation>
    </message>
    <message>
        <source>The heads of this model cannot be shared so.</source>
        <translation>此模型的注意力头无法这样分配。</translation>
    </message>
    <message>
        <source>The hub does not accept the token that was sent for {what}.</source>
        <translation>模型站点不接受为 {what} 发送的访问令牌。</translation>
    </message>
    <message>
        <source>The hub does not give {what} to everybody.</source>
        <translation>该站点不对所有人提供 {what}。</translation>
    </message>
    <message>
        <source>The hub does not have {what}, or it is private.</source>
        <translation>模型站点上没有 {what}，或者它是私有的。</translation>
    </message>
    <message>
        <source>The hub does not have {what}.</source>
        <translation>该站点没有 {what}。</translation>
    </message>
    <message>
        <source>The hub has replaced {path} in the meantime.</source>
        <translation>模型站点在此期间替换了 {path}。</translation>
    </message>
    <message>
        <source>The hub has too much to do.</source>
        <translation>模型站点太忙。</translation>
    </message>
    <message>
        <source>The hub of models cannot be reached.</source>
        <translation>无法连接模型站点。</translation>
    </message>
    <message>
        <source>The hub refuses {what} (status {status}).</source>
        <translation>该站点拒绝提供 {what}（状态 {status}）。</translation>
    </message>
    <message>
        <source>The hub&apos;s certificate is not trusted here.</source>
        <translation>本机不信任模型站点的证书。</translation>
    </message>
    <message>
        <source>The hub&apos;s certificate is not valid at this computer&apos;s date.</source>
        <translation>按本机日期，模型站点的证书无效。</translation>
    </message>
    <message>
        <source>The image or video to start from has no name.</source>
        <translation>作为起点的图像或视频没有名称。</translation>
    </message>
    <message>
        <source>The index {index} cannot be read.</source>
        <translation>无法读取索引 {index}。</translation>
    </message>
    <message>
        <source>The index {index} is damaged.</source>
        <translation>索引 {index} 已损坏。</translation>
    </message>
    <message>
        <source>The index {index} names the file {name!r}, which is not in its folder.</source>
        <translation>索引 {index} 指向的文件 {name!r} 不在其文件夹中。</translation>
    </message>
    <message>
        <source>The key is not accepted.</source>
        <translation>密钥未被接受。</translation>
    </message>
    <message>
        <source>The large distilled model in 8-bit numbers, made on this machine: needs no second download.</source>
        <translation>大型蒸馏模型的 8 位版本，在本机制作：无需再次下载。</translation>
    </message>
    <message>
        <source>The large released model, distilled and in fp8: half the memory.</source>
        <translation>较大的发布模型，已蒸馏且为 fp8：内存减半。</translation>
    </message>
    <message>
        <source>The large released model, distilled: its quality in a fraction of the time.</source>
        <translation>较大的发布模型，已蒸馏：以很短的时间达到同样的质量。</translation>
    </message>
    <message>
        <source>The large released model, undistilled: the best quality, and by far the slowest.</source>
        <translation>较大的发布模型，未蒸馏：质量最好，但也最慢。</translation>
    </message>
    <message>
        <source>The large undistilled model in 8-bit numbers, made on this machine: about half the memory.</source>
        <translation>大型未蒸馏模型的 8 位版本，在本机制作：内存约减半。</translation>
    </message>
    <message>
        <source>The layer {name} computes with numbers that are not finite.</source>
        <translation>层 {name} 的计算出现非有限数值。</translation>
    </message>
    <message>
        <source>The licence of the model ({title}) has not been accepted.</source>
        <translation>尚未接受模型的许可证（{title}）。</translation>
    </message>
    <message>
        <source>The limit cannot be {limit:g} GB.</source>
        <translation>上限不能是 {limit:g} GB。</translation>
    </message>
    <message>
        <source>The list of models {path} is damaged.</source>
        <translation>模型列表 {path} 已损坏。</translation>
    </message>
    <message>
        <source>The list of versions cannot be reached.</source>
        <translation>无法访问版本列表。</translation>
    </message>
    <message>
        <source>The list of your own models, {path}, cannot be read.</source>
        <translation>无法读取您自己的模型列表 {path}。</translation>
    </message>
    <message>
        <source>The log {path} cannot be written.</source>
        <translation>无法写入日志 {path}。</translation>
    </message>
    <message>
        <source>The mode {mode} needs {kind} to start from.</source>
        <translation>{mode} 模式需要从{kind}开始。</translation>
    </message>
    <message>
        <source>The model</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>The model computed no picture but numbers that are not finite.</source>
        <translation>模型算出的不是画面，而是非有限的数值。</translation>
    </message>
    <message>
        <source>The models of another machine&apos;s engine are there.</source>
        <translation>其他机器上的引擎使用那里的模型。</translation>
    </message>
    <message>
        <source>The name {name} is too long.</source>
        <translation>名称 {name} 太长。</translation>
    </message>
    <message>
        <source>The new version could not be fetched.</source>
        <translation>无法下载新版本。</translation>
    </message>
    <message>
        <source>The option {name} cannot be {value}.</source>
        <translation>选项 {name} 不能是 {value}。</translation>
    </message>
    <message>
        <source>The original text encoder</source>
        <translation>原始文本编码器</translation>
    </message>
    <message>
        <source>The other graphics cards are not like the first.</source>
        <translation>其他显卡与第一张型号不同。</translation>
    </message>
    <message>
        <source>The output has no name.</source>
        <translation>输出没有名称。</translation>
    </message>
    <message>
        <source>The package {name} arrived damaged.</source>
        <translation>软件包 {name} 在传输中损坏。</translation>
    </message>
    <message>
        <source>The package {name} is not the one this version was made with.</source>
        <translation>软件包 {name} 与此版本所用的不一致。</translation>
    </message>
    <message>
        <source>The packages could not be installed.</source>
        <translation>软件包无法安装。</translation>
    </message>
    <message>
        <source>The packages could not be looked up.</source>
        <translation>无法查询软件包。</translation>
    </message>
    <message>
        <source>The path of {name} is too long for Windows.</source>
        <translation>{name} 的路径对 Windows 来说太长。</translation>
    </message>
    <message>
        <source>The picture could not be saved in {folder}.</source>
        <translation>无法将图片保存到 {folder}。</translation>
    </message>
    <message>
        <source>The pocket model has only seen plain coloured shapes on plain ground: photos and anything else become nonsense.</source>
        <translation>口袋模型只见过纯色背景上的简单彩色图形：照片和其他内容会变得面目全非。</translation>
    </message>
    <message>
        <source>The pocket model in 8-bit numbers, made on this machine: for trying out fp8.</source>
        <translation>口袋模型的 8 位版本，在此电脑上制作：用于试用 fp8。</translation>
    </message>
    <message>
        <source>The pocket model with guidance at full cost: for comparing with the distilled one.</source>
        <translation>带完整引导计算的口袋模型：用于与蒸馏版比较。</translation>
    </message>
    <message>
        <source>The program is closing.</source>
        <translation>程序正在关闭。</translation>
    </message>
    <message>
        <source>The program there is another version than this one.</source>
        <translation>那里的程序与本程序版本不同。</translation>
    </message>
    <message>
        <source>The prompt has {tokens} tokens; only the first {most} of them count.</source>
        <translation>提示词有 {tokens} 个词元，只有前 {most} 个有效。</translation>
    </message>
    <message>
        <source>The prompt holds bytes that are not UTF-8.</source>
        <translation>提示词中含有非 UTF-8 字节。</translation>
    </message>
    <message>
        <source>The prompts at {start:g} s and the one before it fall on the same part of the video.</source>
        <translation>{start:g} 秒处的提示词和它前面的提示词落在视频的同一部分。</translation>
    </message>
    <message>
        <source>The reference is not on this server.</source>
        <translation>服务器上没有该参考文件。</translation>
    </message>
    <message>
        <source>The repository {repository} holds no model in the official layout.</source>
        <translation>仓库 {repository} 中没有官方布局的模型。</translation>
    </message>
    <message>
        <source>The request comes too slowly.</source>
        <translation>请求传来得太慢。</translation>
    </message>
    <message>
        <source>The saved settings are damaged: {problem}.</source>
        <translation>保存的设置已损坏：{problem}。</translation>
    </message>
    <message>
        <source>The seed {seed} is out of range.</source>
        <translation>种子 {seed} 超出范围。</translation>
    </message>
    <message>
        <source>The server that answered is no hub of models.</source>
        <translation>应答的服务器不是模型站点。</translation>
    </message>
    <message>
        <source>The server was restarted.</source>
        <translation>服务器已重新启动。</translation>
    </message>
    <message>
        <source>The server&apos;s disk is full.</source>
        <translation>服务器的磁盘已满。</translation>
    </message>
    <message>
        <source>The set-up could not be started.</source>
        <translation>无法启动设置程序。</translation>
    </message>
    <message>
        <source>The set-up failed.</source>
        <translation>安装失败。</translation>
    </message>
    <message>
        <source>The set-up runs already.</source>
        <translation>安装程序已在运行。</translation>
    </message>
    <message>
        <source>The settings name a file on another computer, which is not opened: {path}</source>
        <translation>这些设置指向另一台电脑上的文件，程序不会打开它：{path}</translation>
    </message>
    <message>
        <source>The size {width}x{height} cannot be made: both sides must be multiples of {multiple}.</source>
        <translation>无法生成 {width}x{height} 的大小：两边都必须是 {multiple} 的倍数。</translation>
    </message>
    <message>
        <source>The size {width}x{height} is too large.</source>
        <translation>尺寸 {width}x{height} 太大。</translation>
    </message>
    <message>
        <source>The small distilled model in 8-bit numbers, made on this machine: needs no second download.</source>
        <translation>小型蒸馏模型的 8 位版本，在本机制作：无需再次下载。</translation>
    </message>
    <message>
        <source>The small released model, distilled and in fp8: needs the least memory.</source>
        <translation>较小的发布模型，已蒸馏且为 fp8：所需内存最少。</translation>
    </message>
    <message>
        <source>The small released model, distilled: few steps and one pass each.</source>
        <translation>较小的发布模型，已蒸馏：步数少，每步一次计算。</translation>
    </message>
    <message>
        <source>The small released model, undistilled: best with 64 steps and three passes each.</source>
        <translation>较小的发布模型，未蒸馏：64 步、每步三次计算时效果最好。</translation>
    </message>
    <message>
        <source>The small text encoder</source>
        <translation>小文本编码器</translation>
    </message>
    <message>
        <source>The small undistilled model in 8-bit numbers, made on this machine: about half the memory.</source>
        <translation>小型未蒸馏模型的 8 位版本，在本机制作：内存约减半。</translation>
    </message>
    <message>
        <source>The special tokens {path} are missing.</source>
        <translation>缺少特殊词元 {path}。</translation>
    </message>
    <message>
        <source>The special tokens {path} cannot be read.</source>
        <translation>无法读取特殊词元 {path}。</translation>
    </message>
    <message>
        <source>The storyboard does not begin at 0:00.</source>
        <translation>分镜脚本没有从 0:00 开始。</translation>
    </message>
    <message>
        <source>The storyboard has no name.</source>
        <translation>分镜脚本没有名称。</translation>
    </message>
    <message>
        <source>The storyboard {path} cannot be read.</source>
        <translation>无法读取分镜脚本 {path}。</translation>
    </message>
    <message>
        <source>The system has ended the engine, most likely because the memory ran out.</source>
        <translation>系统结束了引擎，很可能是内存不足。</translation>
    </message>
    <message>
        <source>The system is too old: it lacks {name}.</source>
        <translation>系统版本过旧：缺少 {name}。</translation>
    </message>
    <message>
        <source>The system lacks the library {name}.</source>
        <translation>系统缺少库 {name}。</translation>
    </message>
    <message>
        <source>The tensor {name} holds numbers that are not finite.</source>
        <translation>张量 {name} 含有非有限数值。</translation>
    </message>
    <message>
        <source>The tensor {name} in {path} has the unsupported type {code}.</source>
        <translation>{path} 中的张量 {name} 类型不受支持：{code}。</translation>
    </message>
    <message>
        <source>The tensor {name} is in both {path} and {other}.</source>
        <translation>张量 {name} 同时在 {path} 和 {other} 中。</translation>
    </message>
    <message>
        <source>The tensor {stored} in {path} has the shape {shape} where the model needs {needed}.</source>
        <translation>{path} 中张量 {stored} 的形状为 {shape}，而模型需要 {needed}。</translation>
    </message>
    <message>
        <source>The tensor {stored} in {path} is of type {dtype} where the model needs {needed}.</source>
        <translation>{path} 中张量 {stored} 的类型为 {dtype}，而模型需要 {needed}。</translation>
    </message>
    <message>
        <source>The text encoder of {title} has been made smaller.</source>
        <translation>{title} 的文本编码器已压缩。</translation>
    </message>
    <message>
        <source>The tokenizer in {folder} has {tokens} tokens, but its encoder knows {known}.</source>
        <translation>{folder} 中的分词器有 {tokens} 个词元，但其编码器只认识 {known} 个。</translation>
    </message>
    <message>
        <source>The tokenizer {path} cannot be read.</source>
        <translation>无法读取分词器 {path}。</translation>
    </message>
    <message>
        <source>The tokenizer {path} is missing.</source>
        <translation>缺少分词器 {path}。</translation>
    </message>
    <message>
        <source>The tokenizer {path} is not a T5 tokenizer.</source>
        <translation>分词器 {path} 不是 T5 分词器。</translation>
    </message>
    <message>
        <source>The tokens in {path} are not all finite numbers.</source>
        <translation>{path} 中的词元并非都是有限数。</translation>
    </message>
    <message>
        <source>The tokens in {path} have different widths ({widths}).</source>
        <translation>{path} 中词元的宽度不一（{widths}）。</translation>
    </message>
    <message>
        <source>The weights in {transformer} are not those of a {title}.</source>
        <translation>{transformer} 中的权重不是 {title} 的权重。</translation>
    </message>
    <message>
        <source>There are always as many engines: --idle does nothing.</source>
        <translation>引擎数量始终不变：--idle 不起作用。</translation>
    </message>
    <message>
        <source>There is no key at {path}.</source>
        <translation>{path} 处没有密钥。</translation>
    </message>
    <message>
        <source>Use it as it is: there is nothing to download, check or make.</source>
        <translation>请直接使用：无需下载、检查或制作。</translation>
    </message>
    <message>
        <source>Use {methods}.</source>
        <translation>请使用 {methods}。</translation>
    </message>
    <message>
        <source>What was kept for redoing this video was written by a newer program: {name}.</source>
        <translation>用于重做此视频的内容由更新版本的程序写入：{name}。</translation>
    </message>
    <message>
        <source>Write it as: {example}</source>
        <translation>请写成：{example}</translation>
    </message>
    <message>
        <source>is {value}, where {least} is the least</source>
        <translation>为 {value}，最小为 {least}</translation>
    </message>
    <message>
        <source>is {value}, where {most} is the most</source>
        <translation>为 {value}，最大为 {most}</translation>
    </message>
    <message>
        <source>{chunks:chunk leaves|chunks leave} nothing to generate after the {given} of the clip it starts with.</source>
        <translation>{chunks} 个片段在开头素材的 {given} 个之后已没有可生成的内容。</translation>
    </message>
    <message>
        <source>{count:card makes|cards make} this video: this model cannot be shared by {wanted}.</source>
        <translation>此视频由 {count} 张显卡生成：此模型无法由 {wanted} 张分担。</translation>
    </message>
    <message>
        <source>{count:stage|stages} of the window</source>
        <translation>窗口的 {count} 个阶段</translation>
    </message>
    <message>
        <source>{count:video is|videos are} made before this one.</source>
        <translation>在此之前要先制作 {count} 个视频。</translation>
    </message>
    <message>
        <source>There is a model called {name} already.</source>
        <translation>已有名为 {name} 的模型。</translation>
    </message>
    <message>
        <source>A video of {frames} frames is longer than any that can be planned.</source>
        <translation>{frames} 帧的视频过长，无法规划。</translation>
    </message>
    <message>
        <source>Ask for at most {seconds} seconds, or for a video without an end.</source>
        <translation>请最多选择 {seconds} 秒，或选择不限长度的视频。</translation>
    </message>
    <message>
        <source>Line {line} of the storyboard is no time with a prompt: “{text}”.</source>
        <translation>分镜脚本第 {line} 行不是“时间加提示词”：“{text}”。</translation>
    </message>
    <message>
        <source>Only a video that is continued can be put in front of the result.</source>
        <translation>只有被续写的视频才能放在结果之前。</translation>
    </message>
    <message>
        <source>There is an NVIDIA GPU, but not NVIDIA&apos;s driver: install it and come back, or go on with the CPU.</source>
        <translation>有 NVIDIA 显卡，但没有 NVIDIA 的驱动程序：请安装后再来，或继续使用 CPU。</translation>
    </message>
    <message>
        <source>There is no address of an engine.</source>
        <translation>没有填写引擎的地址。</translation>
    </message>
    <message>
        <source>There is no attention called {name!r}.</source>
        <translation>没有名为 {name!r} 的注意力。</translation>
    </message>
    <message>
        <source>There is no chunk {chunk}.</source>
        <translation>没有片段 {chunk}。</translation>
    </message>
    <message>
        <source>There is no configuration file {path}.</source>
        <translation>没有配置文件 {path}。</translation>
    </message>
    <message>
        <source>There is no device called {name!r}.</source>
        <translation>没有名为 {name!r} 的设备。</translation>
    </message>
    <message>
        <source>There is no encoder preset {preset}.</source>
        <translation>没有编码器预设 {preset}。</translation>
    </message>
    <message>
        <source>There is no file {path}.</source>
        <translation>没有文件 {path}。</translation>
    </message>
    <message>
        <source>There is no folder {folder}.</source>
        <translation>没有文件夹 {folder}。</translation>
    </message>
    <message>
        <source>There is no model called {name!r}.</source>
        <translation>没有名为 {name!r} 的模型。</translation>
    </message>
    <message>
        <source>There is no number format {name!r}.</source>
        <translation>没有数字格式 {name!r}。</translation>
    </message>
    <message>
        <source>There is no prompt for the first chunk.</source>
        <translation>第一个片段没有提示词。</translation>
    </message>
    <message>
        <source>There is no prompt in {path}.</source>
        <translation>{path} 中没有提示词。</translation>
    </message>
    <message>
        <source>There is no special token {name}.</source>
        <translation>没有特殊词元 {name}。</translation>
    </message>
    <message>
        <source>There is no such video there.</source>
        <translation>那里没有这个视频。</translation>
    </message>
    <message>
        <source>There is no {path}.</source>
        <translation>没有 {path}。</translation>
    </message>
    <message>
        <source>There is not enough memory for this video.</source>
        <translation>内存不足，无法制作此视频。</translation>
    </message>
    <message>
        <source>There is nothing in it that can be used.</source>
        <translation>其中没有可用的内容。</translation>
    </message>
    <message>
        <source>There is nothing of that name.</source>
        <translation>没有这个名称的内容。</translation>
    </message>
    <message>
        <source>There is one graphics card.</source>
        <translation>只有一张显卡。</translation>
    </message>
    <message>
        <source>There is something called {name} already.</source>
        <translation>已有名为 {name} 的文件。</translation>
    </message>
    <message>
        <source>There is too little memory to start.</source>
        <translation>内存不足，无法启动。</translation>
    </message>
    <message>
        <source>There is too little space in {folder}: {needed:bytes} are needed, {free:bytes} are free.</source>
        <translation>{folder} 的空间太小：需要 {needed:bytes}，可用 {free:bytes}。</translation>
    </message>
    <message>
        <source>There was too little graphics memory; the video goes on more slowly.</source>
        <translation>显存不足；视频将以较慢的速度继续生成。</translation>
    </message>
    <message>
        <source>These settings do not work: {problem}</source>
        <translation>这些设置不可用：{problem}</translation>
    </message>
    <message>
        <source>These settings were not written by this program.</source>
        <translation>这些设置不是由本程序写入的。</translation>
    </message>
    <message>
        <source>These settings were written by a newer program ({version}).</source>
        <translation>这些设置由更新的程序（{version}）写入。</translation>
    </message>
    <message>
        <source>They can be downloaded again.</source>
        <translation>可以重新下载它们。</translation>
    </message>
    <message>
        <source>This computer&apos;s GPU is not one of NVIDIA&apos;s, which alone are supported: videos are made on the CPU.</source>
        <translation>本机的显卡不是 NVIDIA 的，而目前只支持 NVIDIA：视频将用 CPU 生成。</translation>
    </message>
    <message>
        <source>This computer&apos;s processor is too old for the program.</source>
        <translation>这台电脑的处理器太旧，无法运行本程序。</translation>
    </message>
    <message>
        <source>This device was chosen by its name.</source>
        <translation>此设备是按名称指定的。</translation>
    </message>
    <message>
        <source>This machine has {there:card|cards} of one kind, not {wanted}.</source>
        <translation>这台计算机有 {there} 张同型号的显卡，而不是 {wanted} 张。</translation>
    </message>
    <message>
        <source>This mode starts from a video.</source>
        <translation>此模式从视频开始。</translation>
    </message>
    <message>
        <source>This mode starts from an image.</source>
        <translation>此模式从图片开始。</translation>
    </message>
    <message>
        <source>This model has only learned {width} x {height}: other sizes look wrong.</source>
        <translation>此模型只学过 {width} x {height}：其他尺寸效果会不正常。</translation>
    </message>
    <message>
        <source>This model usually wants {usual} steps; {steps} may look unfinished.</source>
        <translation>此模型通常需要 {usual} 步；{steps} 步可能显得未完成。</translation>
    </message>
    <message>
        <source>This needs {needed:bytes} of {what}; {free:bytes} are free.</source>
        <translation>这需要 {needed:bytes} {what}；可用 {free:bytes}。</translation>
    </message>
    <message>
        <source>Too many requests.</source>
        <translation>请求太多。</translation>
    </message>
    <message>
        <source>Try again in some minutes.</source>
        <translation>请过几分钟再试。</translation>
    </message>
    <message>
        <source>Try again later, or without a mirror.</source>
        <translation>请稍后再试，或不使用镜像。</translation>
    </message>
    <message>
        <source>Try again later.</source>
        <translation>请稍后再试。</translation>
    </message>
    <message>
        <source>Try again later; sign in to the network if it asks for that.</source>
        <translation>请稍后重试；如果网络要求登录，请先登录。</translation>
    </message>
    <message>
        <source>Try again, or from another network.</source>
        <translation>请重试，或换一个网络。</translation>
    </message>
    <message>
        <source>Try again, or use one card.</source>
        <translation>请重试，或只用一张显卡。</translation>
    </message>
    <message>
        <source>Try again.</source>
        <translation>请重试。</translation>
    </message>
    <message>
        <source>Try again: it is quicker once a virus scanner has seen every file.</source>
        <translation>请重试：杀毒软件检查过所有文件之后会更快。</translation>
    </message>
    <message>
        <source>Try again: what has come so far is kept.</source>
        <translation>请重试：已下载的部分会保留。</translation>
    </message>
    <message>
        <source>Try again; if it happens again, report it with the log.</source>
        <translation>请重试；如再次发生，请附上日志报告。</translation>
    </message>
    <message>
        <source>Try again; it goes on from there.</source>
        <translation>请重试；会从那里继续。</translation>
    </message>
    <message>
        <source>Try another format.</source>
        <translation>请尝试其他格式。</translation>
    </message>
    <message>
        <source>Trying whether it starts…</source>
        <translation>正在试着启动…</translation>
    </message>
    <message>
        <source>Two prompts are given for the same chunk, or they are out of order.</source>
        <translation>同一片段有两个提示词，或提示词的顺序不对。</translation>
    </message>
    <message>
        <source>Unfinished downloads</source>
        <translation>未下载完的文件</translation>
    </message>
    <message>
        <source>Unpacking…</source>
        <translation>正在解压…</translation>
    </message>
    <message>
        <source>Update both.</source>
        <translation>请更新两者。</translation>
    </message>
    <message>
        <source>Use 8 to 64 digits, 0 to f.</source>
        <translation>请使用 8 到 64 位数字，0 到 f。</translation>
    </message>
    <message>
        <source>Use the one the server made.</source>
        <translation>请使用服务器生成的密钥。</translation>
    </message>
    <message>
        <source>Wait a moment.</source>
        <translation>请稍候。</translation>
    </message>
    <message>
        <source>Wait until some are done.</source>
        <translation>请等其中一些完成。</translation>
    </message>
    <message>
        <source>Waiting for its turn on the other computer</source>
        <translation>正在另一台电脑上排队</translation>
    </message>
    <message>
        <source>Waiting for the other computer</source>
        <translation>正在等待另一台电脑</translation>
    </message>
    <message>
        <source>What answers there is no engine.</source>
        <translation>那里应答的不是引擎。</translation>
    </message>
    <message>
        <source>Write --engines 2.</source>
        <translation>请写成 --engines 2。</translation>
    </message>
    <message>
        <source>Write 64 digits, a to f small.</source>
        <translation>请写 64 位数字，a 到 f 用小写。</translation>
    </message>
    <message>
        <source>Write it as &apos;magi serve&apos; says it, such as http://127.0.0.1:8611.</source>
        <translation>请按 magi serve 所说的写，例如 http://127.0.0.1:8611。</translation>
    </message>
    <message>
        <source>Write it as &apos;magi serve&apos; says it.</source>
        <translation>请按“magi serve”显示的内容填写。</translation>
    </message>
    <message>
        <source>another process has too little memory</source>
        <translation>另一个进程的内存不足</translation>
    </message>
    <message>
        <source>has {count:value|values}, but cfg_t_range has {wanted}</source>
        <translation>有 {count} 个值，但 cfg_t_range 有 {wanted} 个</translation>
    </message>
    <message>
        <source>is {value}</source>
        <translation>为 {value}</translation>
    </message>
    <message>
        <source>is {value}, but must be a multiple of 8, as the rotary embedding needs, and heads x kv_channels must be hidden_size ({hidden_size})</source>
        <translation>为 {value}，但旋转位置编码要求它是 8 的倍数，且头数 × kv_channels 必须等于 hidden_size（{hidden_size}）</translation>
    </message>
    <message>
        <source>is {value}, but must be {wanted}</source>
        <translation>为 {value}，但必须是{wanted}</translation>
    </message>
    <message>
        <source>is {value}, but must equal in_channels ({wanted})</source>
        <translation>为 {value}，但必须等于 in_channels（{wanted}）</translation>
    </message>
    <message>
        <source>is {value}, which does not divide the {heads:attention head|attention heads}</source>
        <translation>为 {value}，不能整除 {heads} 个注意力头</translation>
    </message>
    <message>
        <source>the leading process has too little memory</source>
        <translation>主进程的内存不足</translation>
    </message>
    <message>
        <source>{address} does not answer.</source>
        <translation>{address} 没有应答。</translation>
    </message>
    <message>
        <source>{address} is no address of an engine.</source>
        <translation>{address} 不是引擎的地址。</translation>
    </message>
    <message>
        <source>{count} together would be slower.</source>
        <translation>{count} 张一起反而更慢。</translation>
    </message>
    <message>
        <source>{gpus} is not used: too old, or too new for the driver.</source>
        <translation>{gpus} 不会被使用：太旧，或对驱动程序来说太新。</translation>
    </message>
    <message>
        <source>{gpus} is too old: videos are made on the CPU.</source>
        <translation>{gpus} 过旧：视频将在 CPU 上生成。</translation>
    </message>
    <message>
        <source>{gpus} was found, and its driver fits.</source>
        <translation>已找到 {gpus}，其驱动程序合适。</translation>
    </message>
    <message>
        <source>{most} videos are waiting already.</source>
        <translation>已有 {most} 个视频在等待。</translation>
    </message>
    <message>
        <source>{name} has not come whole.</source>
        <translation>{name} 没有完整传来。</translation>
    </message>
    <message>
        <source>{name} has only {frames:frame|frames} at {rate:g} frames/s in this part.</source>
        <translation>{name} 的这一部分在 {rate:g} 帧/秒下只有 {frames} 帧。</translation>
    </message>
    <message>
        <source>{name} is negative</source>
        <translation>{name} 为负数</translation>
    </message>
    <message>
        <source>{needed:bytes} of room are needed in {folder}, but only {free:bytes} are free.</source>
        <translation>{folder} 中需要 {needed:bytes} 的空间，但只有 {free:bytes} 可用。</translation>
    </message>
    <message>
        <source>{path} and {key} are no certificate with its key.</source>
        <translation>{path} 和 {key} 不是一个证书及其私钥。</translation>
    </message>
    <message>
        <source>{path} cannot be replaced.</source>
        <translation>{path} 无法被替换。</translation>
    </message>
    <message>
        <source>{path}: the field {name} {problem}.</source>
        <translation>{path}：字段 {name} {problem}。</translation>
    </message>
    <message>
        <source>Type those letters again.</source>
        <translation>请重新输入这些字符。</translation>
    </message>
    <message>
        <source>Check that you may write there, or choose another folder.</source>
        <translation>请检查您是否有权写入该处，或选择另一个文件夹。</translation>
    </message>
    <message>
        <source>Choose a folder on another disk.</source>
        <translation>请选择另一个磁盘上的文件夹。</translation>
    </message>
    <message>
        <source>Free some space, or choose another folder.</source>
        <translation>请腾出一些空间，或选择另一个文件夹。</translation>
    </message>
    <message>
        <source>Free some space, then try again: it goes on where it stopped.</source>
        <translation>请腾出一些空间，然后重试：将从中断处继续。</translation>
    </message>
    <message>
        <source>A prompt is given from {start} s on, but the video ends after {end} s.</source>
        <translation>提示词从第 {start} 秒开始生效，但视频在 {end} 秒后就结束了。</translation>
    </message>
    <message>
        <source>Choose an earlier place or a longer video.</source>
        <translation>请选择更早的位置或更长的视频。</translation>
    </message>
    <message>
        <source>Let it run until its first second is ready.</source>
        <translation>请让它运行到第一秒完成。</translation>
    </message>
    <message>
        <source>The disk is full; what it takes to redo this video is not kept.</source>
        <translation>磁盘已满；重做此视频所需的数据未被保留。</translation>
    </message>
    <message>
        <source>The prompt stays as it was: the last second has already started.</source>
        <translation>提示词保持不变：最后一秒已经开始制作。</translation>
    </message>
    <message>
        <source>Try again; it goes on from what has come.</source>
        <translation>请重试；会从已传来的部分继续。</translation>
    </message>
    <message>
        <source>This model cannot go on with that video: its autoencoder is another.</source>
        <translation>此模型无法接着那个视频制作：它的自动编码器不同。</translation>
    </message>
    <message>
        <source>Begin with a line such as: {example}</source>
        <translation>请以这样的一行开头：{example}</translation>
    </message>
    <message>
        <source>Beyond this machine others could read what is sent, and no certificate can be made here without OpenSSL.</source>
        <translation>在本机之外，其他人可能读到所发送的内容；而这里没有 OpenSSL，无法生成证书。</translation>
    </message>
    <message>
        <source>Check them with: {command}</source>
        <translation>检查方法：{command}</translation>
    </message>
    <message>
        <source>Choose another --port or --host.</source>
        <translation>请选择另一个 --port 或 --host。</translation>
    </message>
    <message>
        <source>Make {frames:frame|frames}.</source>
        <translation>只生成 {frames} 帧。</translation>
    </message>
    <message>
        <source>Mend it with: {command}</source>
        <translation>修复方法：{command}</translation>
    </message>
    <message>
        <source>Update the program, or choose another repository.</source>
        <translation>请更新程序，或选择其他仓库。</translation>
    </message>
    <message>
        <source>Update this program to read them.</source>
        <translation>请更新本程序以读取它们。</translation>
    </message>
    <message>
        <source>Update this program.</source>
        <translation>请更新本程序。</translation>
    </message>
    <message>
        <source>Use --device cpu, or install the GPU&apos;s driver and a CUDA build of PyTorch.</source>
        <translation>请使用 --device cpu，或安装 GPU 驱动和 CUDA 版的 PyTorch。</translation>
    </message>
    <message>
        <source>Use --device cpu.</source>
        <translation>请使用 --device cpu。</translation>
    </message>
    <message>
        <source>Use .mp4, .webm, .gif, .webp, or a folder name for PNG frames.</source>
        <translation>请使用 .mp4、.webm、.gif、.webp，或用文件夹名写成 PNG 帧。</translation>
    </message>
    <message>
        <source>Use 0 to {most}.</source>
        <translation>请使用 0 到 {most}。</translation>
    </message>
    <message>
        <source>Use a computer with a newer one.</source>
        <translation>请使用处理器较新的电脑。</translation>
    </message>
    <message>
        <source>Use a model of MAGI-1.</source>
        <translation>请使用 MAGI-1 的模型。</translation>
    </message>
    <message>
        <source>Use a newer version of it.</source>
        <translation>请使用更新版本的系统。</translation>
    </message>
    <message>
        <source>Use another name.</source>
        <translation>请换一个名称。</translation>
    </message>
    <message>
        <source>Use at most {most} pixels for each side.</source>
        <translation>每边最多使用 {most} 像素。</translation>
    </message>
    <message>
        <source>Use less guidance, or have the model&apos;s files verified.</source>
        <translation>请降低引导强度，或校验模型文件。</translation>
    </message>
    <message>
        <source>Use one of {presets}.</source>
        <translation>请使用其一：{presets}。</translation>
    </message>
    <message>
        <source>Use other weights, or calibrate in float32.</source>
        <translation>请使用其他权重，或用 float32 校准。</translation>
    </message>
    <message>
        <source>Use the case&apos;s own tensors.</source>
        <translation>请使用该用例自己的张量。</translation>
    </message>
    <message>
        <source>Use the config.json that belongs to the autoencoder&apos;s weights.</source>
        <translation>请使用与自编码器权重配套的 config.json。</translation>
    </message>
    <message>
        <source>Use the released autoencoder&apos;s config.json.</source>
        <translation>请使用已发布的自编码器的 config.json。</translation>
    </message>
    <message>
        <source>Use the tensors that belong to the case.</source>
        <translation>请使用属于该用例的张量。</translation>
    </message>
    <message>
        <source>Use the weights that belong to this model&apos;s configuration.</source>
        <translation>请使用与此模型配置相符的权重。</translation>
    </message>
    <message>
        <source>Use up to 40 letters, digits, dots, dashes and underscores.</source>
        <translation>请使用最多 40 个字母、数字、点、短横线和下划线。</translation>
    </message>
    <message>
        <source>Use weights from the official release.</source>
        <translation>请使用官方发布的权重。</translation>
    </message>
    <message>
        <source>Use {names}.</source>
        <translation>改用 {names}。</translation>
    </message>
    <message>
        <source>Use {title}.</source>
        <translation>改用 {title}。</translation>
    </message>
    <message>
        <source>Videos cannot be written as {suffix}.</source>
        <translation>视频不能写成 {suffix}。</translation>
    </message>
    <message>
        <source>Wait until it has finished.</source>
        <translation>请等它结束。</translation>
    </message>
    <message>
        <source>Wait until it is done, or cancel it.</source>
        <translation>请等它完成，或取消它。</translation>
    </message>
    <message>
        <source>Wait until it is done, or stop it there.</source>
        <translation>请等它完成，或在那里停止它。</translation>
    </message>
    <message>
        <source>Wait until it is done.</source>
        <translation>请等待它完成。</translation>
    </message>
    <message>
        <source>Wait until it is there, then continue it.</source>
        <translation>请等它完成后再续写。</translation>
    </message>
    <message>
        <source>Weights are .safetensors, .safetensors.zst or .bin files.</source>
        <translation>权重应为 .safetensors、.safetensors.zst 或 .bin 文件。</translation>
    </message>
    <message>
        <source>What answers is not this program&apos;s list of versions.</source>
        <translation>收到的内容不是本程序的版本列表。</translation>
    </message>
    <message>
        <source>What it takes to redo this video cannot be kept: {why}.</source>
        <translation>无法保留重做此视频所需的数据：{why}。</translation>
    </message>
    <message>
        <source>What it takes to redo this video is no longer kept.</source>
        <translation>重做此视频所需的数据已不再保留。</translation>
    </message>
    <message>
        <source>What it takes to redo this video is not kept.</source>
        <translation>重做此视频所需的数据没有保留。</translation>
    </message>
    <message>
        <source>What it takes to redo {name} was not kept.</source>
        <translation>重做 {name} 所需的数据没有保留。</translation>
    </message>
    <message>
        <source>What was installed does not start.</source>
        <translation>新安装的内容无法启动。</translation>
    </message>
    <message>
        <source>What was installed lies on a disk from which no program may be run.</source>
        <translation>已安装的内容位于不允许运行程序的磁盘上。</translation>
    </message>
    <message>
        <source>What was installed takes more than fifteen minutes to start.</source>
        <translation>已安装的内容超过十五分钟仍未启动。</translation>
    </message>
    <message>
        <source>What was kept for redoing this video is damaged: {name}.</source>
        <translation>为重做此视频而保留的数据已损坏：{name}。</translation>
    </message>
    <message>
        <source>Windows does not let what was installed start.</source>
        <translation>Windows 不允许启动已安装的内容。</translation>
    </message>
    <message>
        <source>Work on one second at a time.</source>
        <translation>一次只制作一秒。</translation>
    </message>
    <message>
        <source>Write --prompt-at K TEXT.</source>
        <translation>请写成 --prompt-at K TEXT。</translation>
    </message>
    <message>
        <source>Write the folder of the model&apos;s files into it.</source>
        <translation>请填入模型文件所在的文件夹。</translation>
    </message>
    <message>
        <source>a JSON object</source>
        <translation>一个 JSON 对象</translation>
    </message>
    <message>
        <source>a list</source>
        <translation>列表</translation>
    </message>
    <message>
        <source>a number</source>
        <translation>数字</translation>
    </message>
    <message>
        <source>a text</source>
        <translation>文本</translation>
    </message>
    <message>
        <source>a video</source>
        <translation>视频</translation>
    </message>
    <message>
        <source>a whole number</source>
        <translation>整数</translation>
    </message>
    <message>
        <source>an image</source>
        <translation>图像</translation>
    </message>
    <message>
        <source>autoencoder</source>
        <translation>自编码器</translation>
    </message>
    <message>
        <source>base</source>
        <translation>基础</translation>
    </message>
    <message>
        <source>base models, which are guided</source>
        <translation>使用引导的基础模型</translation>
    </message>
    <message>
        <source>distilled</source>
        <translation>蒸馏</translation>
    </message>
    <message>
        <source>graphics memory</source>
        <translation>显存</translation>
    </message>
    <message>
        <source>is missing</source>
        <translation>缺失</translation>
    </message>
    <message>
        <source>is {value!r}, not one of {known}</source>
        <translation>为 {value!r}，不在 {known} 之中</translation>
    </message>
    <message>
        <source>is {value!r}; only {only!r} exists in the released models</source>
        <translation>为 {value!r}；发布的模型中只有 {only!r}</translation>
    </message>
    <message>
        <source>is {value}, but must be positive, or {last} for the last entry of noise2clean_kvrange</source>
        <translation>为 {value}，但必须为正数，或用 {last} 表示 noise2clean_kvrange 的最后一项</translation>
    </message>
    <message>
        <source>is {value}, not a multiple of 8</source>
        <translation>为 {value}，不是 8 的倍数</translation>
    </message>
    <message>
        <source>is {value}, which half_channel_vae cannot halve</source>
        <translation>为 {value}，half_channel_vae 无法将其减半</translation>
    </message>
    <message>
        <source>is {value}; it is 3 for base models and 1 for distilled ones</source>
        <translation>为 {value}；基础模型应为 3，蒸馏模型应为 1</translation>
    </message>
    <message>
        <source>it is not JSON</source>
        <translation>不是 JSON</translation>
    </message>
    <message>
        <source>memory</source>
        <translation>内存</translation>
    </message>
    <message>
        <source>must be positive</source>
        <translation>必须为正数</translation>
    </message>
    <message>
        <source>only {count} found</source>
        <translation>只找到 {count} 个</translation>
    </message>
    <message>
        <source>room on the disk</source>
        <translation>磁盘空间</translation>
    </message>
    <message>
        <source>special tokens</source>
        <translation>特殊词元</translation>
    </message>
    <message>
        <source>text encoder</source>
        <translation>文本编码器</translation>
    </message>
    <message>
        <source>the autoencoder field ddconfig.{name} must be positive.</source>
        <translation>自编码器的字段 ddconfig.{name} 必须为正数。</translation>
    </message>
    <message>
        <source>the autoencoder field ddconfig.{name} must be {wanted}.</source>
        <translation>自编码器的字段 ddconfig.{name} 必须是 {wanted}。</translation>
    </message>
    <message>
        <source>the autoencoder&apos;s embed_dim is not a multiple of its num_heads.</source>
        <translation>自编码器的 embed_dim 不是其 num_heads 的倍数。</translation>
    </message>
    <message>
        <source>the autoencoder&apos;s embed_dim {embed_dim} is not a multiple of {patch_volume}, which it must be without use_final_proj.</source>
        <translation>自编码器的 embed_dim {embed_dim} 不是 {patch_volume} 的倍数；不用 use_final_proj 时必须是。</translation>
    </message>
    <message>
        <source>the field {name} is unknown.</source>
        <translation>未知字段 {name}。</translation>
    </message>
    <message>
        <source>the field {name} {problem}.</source>
        <translation>字段 {name} {problem}。</translation>
    </message>
    <message>
        <source>the file must hold one JSON object.</source>
        <translation>文件必须包含一个 JSON 对象。</translation>
    </message>
    <message>
        <source>the hub itself</source>
        <translation>模型库本身</translation>
    </message>
    <message>
        <source>the section {section} must be a JSON object.</source>
        <translation>{section} 部分必须是 JSON 对象。</translation>
    </message>
    <message>
        <source>transformer</source>
        <translation>Transformer</translation>
    </message>
    <message>
        <source>true or false</source>
        <translation>true 或 false</translation>
    </message>
    <message>
        <source>{address} does not answer any more; the video goes on there, and this program tries again.</source>
        <translation>{address} 不再应答；视频在那里继续制作，本程序会重试。</translation>
    </message>
    <message>
        <source>{address} is not the address of a hub.</source>
        <translation>{address} 不是模型站点的网址。</translation>
    </message>
    <message>
        <source>{case} is not a sampling case: it has no config.</source>
        <translation>{case} 不是采样用例：它没有 config。</translation>
    </message>
    <message>
        <source>{case}: the field special_tokens is {tokens}.</source>
        <translation>{case}：字段 special_tokens 为 {tokens}。</translation>
    </message>
    <message>
        <source>{choices} or {last}</source>
        <translation>{choices} 或 {last}</translation>
    </message>
    <message>
        <source>{choice}</source>
        <translation>{choice}</translation>
    </message>
    <message>
        <source>{chunk!r} is not the number of a chunk.</source>
        <translation>{chunk!r} 不是片段的编号。</translation>
    </message>
    <message>
        <source>{config}: the field runtime_config.{field} is empty.</source>
        <translation>{config}：字段 runtime_config.{field} 为空。</translation>
    </message>
    <message>
        <source>{config}: there is no folder {value} (runtime_config.{field}; looked for {sought}).</source>
        <translation>{config}：没有文件夹 {value}（runtime_config.{field}；查找了 {sought}）。</translation>
    </message>
    <message>
        <source>{count} videos cannot be auditioned.</source>
        <translation>无法试镜 {count} 个视频。</translation>
    </message>
    <message>
        <source>{first} {second}</source>
        <translation>{first}{second}</translation>
    </message>
    <message>
        <source>{folder} cannot be read.</source>
        <translation>无法读取 {folder}。</translation>
    </message>
    <message>
        <source>{folder} cannot be written to.</source>
        <translation>无法写入 {folder}。</translation>
    </message>
    <message>
        <source>{folder} holds more than one checkpoint ({names}).</source>
        <translation>{folder} 中有多个检查点（{names}）。</translation>
    </message>
    <message>
        <source>{folder} was made in a way this version does not know.</source>
        <translation>{folder} 的制作方式是此版本不认识的。</translation>
    </message>
    <message>
        <source>{fps} frames per second are not possible.</source>
        <translation>不能是每秒 {fps} 帧。</translation>
    </message>
    <message>
        <source>{free:bytes}</source>
        <translation>{free:bytes}</translation>
    </message>
    <message>
        <source>{name} cannot be read.</source>
        <translation>无法读取 {name}。</translation>
    </message>
    <message>
        <source>{name} cannot be renamed.</source>
        <translation>无法重命名 {name}。</translation>
    </message>
    <message>
        <source>{name} cannot be what the address says.</source>
        <translation>{name} 不能是地址中所写的值。</translation>
    </message>
    <message>
        <source>{name} carries no settings of this program.</source>
        <translation>{name} 中没有本程序的设置。</translation>
    </message>
    <message>
        <source>{name} could not be encoded.</source>
        <translation>无法编码 {name}。</translation>
    </message>
    <message>
        <source>{name} could not be moved to the trash, so it was kept.</source>
        <translation>无法将 {name} 移到回收站，因此已保留。</translation>
    </message>
    <message>
        <source>{name} could not be put back.</source>
        <translation>无法还原 {name}。</translation>
    </message>
    <message>
        <source>{name} ends after {end:.2f} s, before the range begins.</source>
        <translation>{name} 在 {end:.2f} 秒处结束，早于范围的起点。</translation>
    </message>
    <message>
        <source>{name} exists already.</source>
        <translation>{name} 已存在。</translation>
    </message>
    <message>
        <source>{name} has more than {limit} million pixels.</source>
        <translation>{name} 的像素超过 {limit} 百万。</translation>
    </message>
    <message>
        <source>{name} holds no complete frame.</source>
        <translation>{name} 不含完整的帧。</translation>
    </message>
    <message>
        <source>{name} holds no frame that can be read.</source>
        <translation>{name} 中没有可读取的画面。</translation>
    </message>
    <message>
        <source>{name} holds no settings this program knows.</source>
        <translation>{name} 中没有本程序认识的设置。</translation>
    </message>
    <message>
        <source>{name} holds no video track.</source>
        <translation>{name} 中没有视频轨道。</translation>
    </message>
    <message>
        <source>{name} is a folder, not a file.</source>
        <translation>{name} 是文件夹，不是文件。</translation>
    </message>
    <message>
        <source>{name} is a pipe or a device, not a file.</source>
        <translation>{name} 是管道或设备，不是文件。</translation>
    </message>
    <message>
        <source>{name} is a video, not an image.</source>
        <translation>{name} 是视频，不是图像。</translation>
    </message>
    <message>
        <source>{name} is an image, not a video.</source>
        <translation>{name} 是图像，不是视频。</translation>
    </message>
    <message>
        <source>{name} is another video.</source>
        <translation>{name} 是另一个视频。</translation>
    </message>
    <message>
        <source>{name} is damaged.</source>
        <translation>{name} 已损坏。</translation>
    </message>
    <message>
        <source>{name} is empty.</source>
        <translation>{name} 是空的。</translation>
    </message>
    <message>
        <source>{name} is finished already.</source>
        <translation>{name} 已经完成。</translation>
    </message>
    <message>
        <source>{name} is missing: set the program up again</source>
        <translation>缺少 {name}：请重新设置本程序</translation>
    </message>
    <message>
        <source>{name} is no released model.</source>
        <translation>{name} 不是已发布的模型。</translation>
    </message>
    <message>
        <source>{name} is not a video.</source>
        <translation>{name} 不是视频。</translation>
    </message>
    <message>
        <source>{name} is not an image or a video that can be read.</source>
        <translation>{name} 不是可读取的图片或视频。</translation>
    </message>
    <message>
        <source>{name} is not an unfinished video.</source>
        <translation>{name} 不是未完成的视频。</translation>
    </message>
    <message>
        <source>{name} is not positive</source>
        <translation>{name} 不是正数</translation>
    </message>
    <message>
        <source>{name} is only {width}x{height} pixels.</source>
        <translation>{name} 只有 {width}x{height} 像素。</translation>
    </message>
    <message>
        <source>{name} needs {needed:bytes} of memory on {device}, but only {free:bytes} are free.</source>
        <translation>{name} 在 {device} 上需要 {needed:bytes} 内存，但只有 {free:bytes} 可用。</translation>
    </message>
    <message>
        <source>{name} only says where a video is.</source>
        <translation>{name} 只指明视频在哪里，本身不是视频。</translation>
    </message>
    <message>
        <source>{name} {problem}</source>
        <translation>{name} {problem}</translation>
    </message>
    <message>
        <source>{needed:bytes} are to come, {free:bytes} are free in {folder}.</source>
        <translation>还需下载 {needed:bytes}，{folder} 中可用 {free:bytes}。</translation>
    </message>
    <message>
        <source>{option} does nothing here: it is for {what}.</source>
        <translation>{option} 在这里不起作用：它用于 {what}。</translation>
    </message>
    <message>
        <source>{path} cannot be deleted.</source>
        <translation>无法删除 {path}。</translation>
    </message>
    <message>
        <source>{path} cannot be fetched: the network or the server fails.</source>
        <translation>无法获取 {path}：网络或服务器出错。</translation>
    </message>
    <message>
        <source>{path} cannot be read.</source>
        <translation>无法读取 {path}。</translation>
    </message>
    <message>
        <source>{path} cannot be written.</source>
        <translation>无法写入 {path}。</translation>
    </message>
    <message>
        <source>{path} describes no T5 encoder.</source>
        <translation>{path} 描述的不是 T5 编码器。</translation>
    </message>
    <message>
        <source>{path} does not describe a ViT autoencoder.</source>
        <translation>{path} 描述的不是 ViT 自编码器。</translation>
    </message>
    <message>
        <source>{path} holds something other than plain tensors; nothing in it was run.</source>
        <translation>{path} 含有纯张量以外的内容；其中没有任何内容被运行。</translation>
    </message>
    <message>
        <source>{path} holds the tensor {name}, which this model does not have.</source>
        <translation>{path} 含有张量 {name}，而此模型没有它。</translation>
    </message>
    <message>
        <source>{path} is a file, not a folder.</source>
        <translation>{path} 是文件，不是文件夹。</translation>
    </message>
    <message>
        <source>{path} is being made by another program.</source>
        <translation>另一个程序正在制作 {path}。</translation>
    </message>
    <message>
        <source>{path} is damaged, incomplete or cannot be read.</source>
        <translation>{path} 已损坏、不完整或无法读取。</translation>
    </message>
    <message>
        <source>{path} is in use.</source>
        <translation>{path} 正在使用中。</translation>
    </message>
    <message>
        <source>{path} is no folder.</source>
        <translation>{path} 不是文件夹。</translation>
    </message>
    <message>
        <source>{path} is no known kind of weights.</source>
        <translation>{path} 不是已知的权重格式。</translation>
    </message>
    <message>
        <source>{path} is not a table of named tensors.</source>
        <translation>{path} 不是命名张量表。</translation>
    </message>
    <message>
        <source>{path} is not valid JSON (line {line}, column {column}).</source>
        <translation>{path} 不是有效的 JSON（第 {line} 行，第 {column} 列）。</translation>
    </message>
    <message>
        <source>{path} is of MAGI-1.1, whose tensors hold all layers, stacked and packed in a way that is not published, so that no code outside gives pictures with it.</source>
        <translation>{path} 属于 MAGI-1.1，其张量包含所有层，以未公开的方式堆叠和打包，因此外部代码无法用它生成画面。</translation>
    </message>
    <message>
        <source>{path} lacks the array {name}.</source>
        <translation>{path} 缺少数组 {name}。</translation>
    </message>
    <message>
        <source>{path} lacks the tensor {name}.</source>
        <translation>{path} 缺少张量 {name}。</translation>
    </message>
    <message>
        <source>{path} was written by a newer version of this program.</source>
        <translation>{path} 由本程序的更新版本写成。</translation>
    </message>
    <message>
        <source>{path}: the field ddconfig must be a JSON object.</source>
        <translation>{path}：字段 ddconfig 必须是 JSON 对象。</translation>
    </message>
    <message>
        <source>{path}: the field ddconfig.{name} is unknown.</source>
        <translation>{path}：未知字段 ddconfig.{name}。</translation>
    </message>
    <message>
        <source>{path}: {problem}</source>
        <translation>{path}：{problem}</translation>
    </message>
    <message>
        <source>{place} is not where models are downloaded from.</source>
        <translation>{place} 不是下载模型的地址。</translation>
    </message>
    <message>
        <source>{seconds:g} seconds are less than one frame.</source>
        <translation>{seconds:g} 秒不足一帧。</translation>
    </message>
    <message>
        <source>{size:bytes}</source>
        <translation>{size:bytes}</translation>
    </message>
    <message>
        <source>{source} is neither a folder nor a repository of the hub.</source>
        <translation>{source} 既不是文件夹，也不是模型站点的仓库。</translation>
    </message>
    <message>
        <source>{spare:bytes} of its original text encoder may be deleted.</source>
        <translation>其原文本编码器占用的 {spare:bytes} 可以删除。</translation>
    </message>
    <message>
        <source>{stages} and the {ranges} of the KV range</source>
        <translation>{stages}和 KV 范围的 {ranges} 个阶段</translation>
    </message>
    <message>
        <source>{steps:step does|steps do} not divide into the {stages}.</source>
        <translation>{steps} 步不能平均分到{stages}。</translation>
    </message>
    <message>
        <source>{steps} steps are not possible.</source>
        <translation>不能是 {steps} 步。</translation>
    </message>
    <message>
        <source>{tensors} lacks the tensor {name}.</source>
        <translation>{tensors} 缺少张量 {name}。</translation>
    </message>
    <message>
        <source>{title}</source>
        <translation>{title}</translation>
    </message>
    <message>
        <source>{title} has not been made on this machine yet.</source>
        <translation>{title} 尚未在此电脑上制作。</translation>
    </message>
    <message>
        <source>{title} is damaged.</source>
        <translation>{title} 已损坏。</translation>
    </message>
    <message>
        <source>{title} is made on this machine.</source>
        <translation>{title} 在本机制作。</translation>
    </message>
    <message>
        <source>{title} is not complete, its {part} cannot be used. {problem}</source>
        <translation>{title} 不完整，其{part}无法使用。{problem}</translation>
    </message>
    <message>
        <source>{title} is not downloaded.</source>
        <translation>{title} 不是下载得到的。</translation>
    </message>
    <message>
        <source>{title} is not made here.</source>
        <translation>{title} 不是在本机制作的。</translation>
    </message>
    <message>
        <source>{title} is ready.</source>
        <translation>{title} 已就绪。</translation>
    </message>
    <message>
        <source>{title} ships with the program.</source>
        <translation>{title} 随程序附带。</translation>
    </message>
    <message>
        <source>{title} was made from an older {source}.</source>
        <translation>{title} 由旧的 {source} 制作。</translation>
    </message>
    <message>
        <source>{title}, which was made on this machine, is damaged.</source>
        <translation>在本机制作的 {title} 已损坏。</translation>
    </message>
    <message>
        <source>{used:bytes} of {limit:bytes} are used.</source>
        <translation>已使用 {limit:bytes} 中的 {used:bytes}。</translation>
    </message>
    <message>
        <source>{why}: a newer NVIDIA driver may help</source>
        <translation>{why}：更新 NVIDIA 驱动或许可以解决</translation>
    </message>
</context>
<context>
    <name>MirrorDialog</name>
    <message>
        <source>Address of the mirror</source>
        <translation>镜像网址</translation>
    </message>
    <message>
        <source>Leave it empty to download from the hub itself.</source>
        <translation>留空则直接从模型站点下载。</translation>
    </message>
    <message>
        <source>&amp;Address</source>
        <translation>网址(&amp;A)</translation>
    </message>
    <message>
        <source>HF_ENDPOINT is set and counts before this: {}</source>
        <translation>已设置 HF_ENDPOINT，它优先生效：{}</translation>
    </message>
    <message>
        <source>Download from</source>
        <translation>下载来源</translation>
    </message>
    <message>
        <source>A mirror of the hub of models can be nearer or easier to reach. Your access token is never sent to it. Leave the field empty for the hub itself.</source>
        <translation>模型站点的镜像可能更近、更容易访问。您的访问令牌绝不会发给它。留空则使用模型站点本身。</translation>
    </message>
    <message>
        <source>Use</source>
        <translation>使用</translation>
    </message>
    <message>
        <source>Asks that address, and uses it if it answers.</source>
        <translation>询问该网址，有应答则使用。</translation>
    </message>
</context>
<context>
    <name>ModeSelector</name>
    <message>
        <source>Text</source>
        <translation>文字</translation>
    </message>
    <message>
        <source>Make a video from words alone (Ctrl+1).</source>
        <translation>仅凭文字生成视频 (Ctrl+1)。</translation>
    </message>
    <message>
        <source>Image</source>
        <translation>图片</translation>
    </message>
    <message>
        <source>Make a picture come alive (Ctrl+2).</source>
        <translation>让图片动起来 (Ctrl+2)。</translation>
    </message>
    <message>
        <source>Video</source>
        <translation>视频</translation>
    </message>
    <message>
        <source>Go on where a video ends (Ctrl+3).</source>
        <translation>从视频的结尾处继续 (Ctrl+3)。</translation>
    </message>
    <message>
        <source>Start from</source>
        <translation>起始素材</translation>
    </message>
</context>
<context>
    <name>ModelCard</name>
    <message>
        <source>More about {}</source>
        <translation>{} 的更多操作</translation>
    </message>
    <message>
        <source>Check its files, or move it to the bin.</source>
        <translation>检查其文件，或移到回收站。</translation>
    </message>
    <message>
        <source>Check the files</source>
        <translation>检查文件</translation>
    </message>
    <message>
        <source>Make the text encoder small</source>
        <translation>压缩文本编码器</translation>
    </message>
    <message>
        <source>Make an fp8 copy</source>
        <translation>制作 fp8 副本</translation>
    </message>
    <message>
        <source>Remove ({})</source>
        <translation>移除（{}）</translation>
    </message>
    <message>
        <source>Remove from the list</source>
        <translation>从列表中移除</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>Goes on where it stopped.</source>
        <translation>从中断处继续。</translation>
    </message>
    <message>
        <source>Not downloaded</source>
        <translation>未下载</translation>
    </message>
    <message>
        <source>Not checked yet</source>
        <translation>尚未检查</translation>
    </message>
    <message>
        <source>Damaged</source>
        <translation>已损坏</translation>
    </message>
    <message>
        <source>Folder not found</source>
        <translation>找不到文件夹</translation>
    </message>
    <message>
        <source>Its files are here; nobody has checked them yet.</source>
        <translation>文件已在本机，尚未检查。</translation>
    </message>
    <message>
        <source>Use</source>
        <translation>使用</translation>
    </message>
    <message>
        <source>Make videos with this model.</source>
        <translation>用这个模型生成视频。</translation>
    </message>
    <message>
        <source>Checks the files once more, such as when they were replaced.</source>
        <translation>再检查一次文件，例如替换之后。</translation>
    </message>
    <message>
        <source>Check again</source>
        <translation>再次检查</translation>
    </message>
    <message>
        <source>Check</source>
        <translation>检查</translation>
    </message>
    <message>
        <source>Reads its files once; then it can be used.</source>
        <translation>读取一次全部文件，然后即可使用。</translation>
    </message>
    <message>
        <source>Download</source>
        <translation>下载</translation>
    </message>
    <message>
        <source>Gets its files; can be paused at any time.</source>
        <translation>下载其文件；可随时暂停。</translation>
    </message>
    <message>
        <source>Download the rest</source>
        <translation>下载其余部分</translation>
    </message>
    <message>
        <source>Repair</source>
        <translation>修复</translation>
    </message>
    <message>
        <source>Downloads only what is damaged.</source>
        <translation>只重新下载损坏的部分。</translation>
    </message>
    <message>
        <source>Make</source>
        <translation>制作</translation>
    </message>
    <message>
        <source>Quantises it on this computer.</source>
        <translation>在这台电脑上量化。</translation>
    </message>
    <message>
        <source>Ready</source>
        <translation>就绪</translation>
    </message>
    <message>
        <source>Partly here</source>
        <translation>不完整</translation>
    </message>
    <message>
        <source>Not made yet</source>
        <translation>尚未制作</translation>
    </message>
    <message>
        <source>In use</source>
        <translation>使用中</translation>
    </message>
</context>
<context>
    <name>ModelRow</name>
    <message>
        <source>&amp;Model</source>
        <translation>模型(&amp;M)</translation>
    </message>
    <message>
        <source>Larger models make better pictures and need more memory and time.</source>
        <translation>模型越大画质越好，所需的内存和时间也越多。</translation>
    </message>
    <message>
        <source>As the configuration file {} says.</source>
        <translation>按配置文件 {} 的设定。</translation>
    </message>
    <message>
        <source>partly here</source>
        <translation>不完整</translation>
    </message>
    <message>
        <source>not checked yet</source>
        <translation>尚未检查</translation>
    </message>
    <message>
        <source>damaged</source>
        <translation>已损坏</translation>
    </message>
    <message>
        <source>Some of its files are not on this computer yet.</source>
        <translation>它的部分文件还不在这台电脑上。</translation>
    </message>
    <message>
        <source>It has not been made on this computer yet.</source>
        <translation>它还没有在这台电脑上制作。</translation>
    </message>
    <message>
        <source>Its files have not been checked yet.</source>
        <translation>它的文件尚未检查。</translation>
    </message>
    <message>
        <source>Some of its files are damaged.</source>
        <translation>它的部分文件已损坏。</translation>
    </message>
    <message>
        <source>Its files are not on this computer yet.</source>
        <translation>其文件尚未在这台电脑上。</translation>
    </message>
    <message>
        <source>not downloaded</source>
        <translation>未下载</translation>
    </message>
    <message>
        <source>not made yet</source>
        <translation>尚未制作</translation>
    </message>
</context>
<context>
    <name>ModelWords</name>
    <message>
        <source>Asking what there is to download</source>
        <translation>正在查询要下载的内容</translation>
    </message>
    <message>
        <source>Downloading</source>
        <translation>正在下载</translation>
    </message>
    <message>
        <source>Checking the files</source>
        <translation>正在检查文件</translation>
    </message>
    <message>
        <source>Making the text encoder small</source>
        <translation>正在压缩文本编码器</translation>
    </message>
    <message>
        <source>Reading the weights</source>
        <translation>正在读取权重</translation>
    </message>
    <message>
        <source>Calibrating</source>
        <translation>正在校准</translation>
    </message>
    <message>
        <source>Quantising</source>
        <translation>正在量化</translation>
    </message>
    <message>
        <source>Looking for models</source>
        <translation>正在查找模型</translation>
    </message>
    <message>
        <source>Waiting in line</source>
        <translation>排队等待</translation>
    </message>
    <message>
        <source>Paused</source>
        <translation>已暂停</translation>
    </message>
    <message>
        <source>Stopping</source>
        <translation>正在停止</translation>
    </message>
    <message>
        <source>{}/s</source>
        <translation>{}/秒</translation>
    </message>
    <message>
        <source>{done} of {total}</source>
        <translation>{done} / {total}</translation>
    </message>
    <message>
        <source>{} min left</source>
        <translation>剩余 {} 分钟</translation>
    </message>
</context>
<context>
    <name>ModelsDialog</name>
    <message>
        <source>Models</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Add…</source>
        <translation>添加…</translation>
    </message>
    <message>
        <source>Looking at what is there…</source>
        <translation>正在查看已有内容…</translation>
    </message>
    <message>
        <source>Storage</source>
        <translation>存储</translation>
    </message>
    <message>
        <source>Use model files that are on this computer already, or other models.</source>
        <translation>使用本机已有的模型文件，或其他模型。</translation>
    </message>
    <message>
        <source>The official release on this computer…</source>
        <translation>本机上的官方发布版…</translation>
    </message>
    <message>
        <source>An official configuration file…</source>
        <translation>官方配置文件…</translation>
    </message>
    <message>
        <source>Another model: a folder or a repository…</source>
        <translation>其他模型：文件夹或仓库…</translation>
    </message>
    <message>
        <source>Mirror…</source>
        <translation>镜像…</translation>
    </message>
    <message>
        <source>Download from a mirror of the hub of models.</source>
        <translation>从模型站点的镜像下载。</translation>
    </message>
    <message>
        <source>Other folder…</source>
        <translation>其他文件夹…</translation>
    </message>
    <message>
        <source>Keep models in another folder, for example on a larger disk.</source>
        <translation>把模型放在其他文件夹，例如更大的磁盘上。</translation>
    </message>
    <message>
        <source>Open folder</source>
        <translation>打开文件夹</translation>
    </message>
    <message>
        <source>Make the folder if need be and show it.</source>
        <translation>必要时创建文件夹并打开它。</translation>
    </message>
    <message>
        <source>{0}; from the next start on {1}</source>
        <translation>{0}；下次启动后：{1}</translation>
    </message>
    <message>
        <source>{0}  ·  {1} free</source>
        <translation>{0}  ·  剩余 {1}</translation>
    </message>
    <message>
        <source>Folder for models</source>
        <translation>模型文件夹</translation>
    </message>
    <message>
        <source>The folder that holds “ckpt” or “downloads”</source>
        <translation>包含“ckpt”或“downloads”的文件夹</translation>
    </message>
    <message>
        <source>An official configuration</source>
        <translation>官方配置</translation>
    </message>
    <message>
        <source>Configurations (*.json)</source>
        <translation>配置 (*.json)</translation>
    </message>
    <message>
        <source>Show storage</source>
        <translation>查看存储</translation>
    </message>
    <message>
        <source>{0} is in the bin; emptying it frees {1}.</source>
        <translation>{0} 已移到回收站；清空后可释放 {1}。</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>撤销</translation>
    </message>
</context>
<context>
    <name>NegativeTokensRow</name>
    <message>
        <source>No captions, logos, cuts or borders</source>
        <translation>不要字幕、标志、转场或边框</translation>
    </message>
    <message>
        <source>Negative tokens</source>
        <translation>负向词元</translation>
    </message>
    <message>
        <source>Shows a base model what to stay away from: writing in the picture, logos, transitions and borders. It is guided from there towards the prompt.</source>
        <translation>告诉基础模型应避开什么：画面中的文字、标志、转场和边框。引导会使其远离这些，趋向提示词。</translation>
    </message>
    <message>
        <source>Only for base models: a distilled one always has the prompt.</source>
        <translation>仅适用于基础模型：蒸馏模型始终带有提示词。</translation>
    </message>
    <message>
        <source>The model is guided away from them, at no cost in time.</source>
        <translation>引导模型避开这些内容，不会增加耗时。</translation>
    </message>
</context>
<context>
    <name>NoticeBar</name>
    <message>
        <source>Hide this message.</source>
        <translation>隐藏此消息。</translation>
    </message>
    <message>
        <source>Hide this message</source>
        <translation>隐藏此消息</translation>
    </message>
    <message>
        <source>Undo</source>
        <translation>撤销</translation>
    </message>
</context>
<context>
    <name>OwnVideoBar</name>
    <message>
        <source>Made with this program.</source>
        <translation>由本程序生成。</translation>
    </message>
    <message>
        <source>Hide this offer</source>
        <translation>隐藏此提示</translation>
    </message>
    <message>
        <source>Just use the video as it is.</source>
        <translation>直接使用此视频。</translation>
    </message>
    <message>
        <source>Continue it</source>
        <translation>续写</translation>
    </message>
    <message>
        <source>Go on from its end with its own prompt and settings.</source>
        <translation>用它自己的提示词和设置从结尾处继续。</translation>
    </message>
    <message>
        <source>Use its settings</source>
        <translation>使用其设置</translation>
    </message>
    <message>
        <source>Compose the same video again, to make it anew or to change it.</source>
        <translation>载入同样的内容，以便重新生成或修改。</translation>
    </message>
</context>
<context>
    <name>PlacesDialog</name>
    <message>
        <source>Where things are kept</source>
        <translation>文件存放位置</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Close this sheet.</source>
        <translation>关闭此窗口。</translation>
    </message>
    <message>
        <source>Open</source>
        <translation>打开</translation>
    </message>
    <message>
        <source>Shows it in the file manager.</source>
        <translation>在文件管理器中显示。</translation>
    </message>
    <message>
        <source>Open: {}</source>
        <translation>打开：{}</translation>
    </message>
    <message>
        <source>nothing yet</source>
        <translation>暂无</translation>
    </message>
    <message>
        <source>Stays when Magi Desktop is removed, unless you say otherwise.</source>
        <translation>卸载 Magi Desktop 时保留，除非您另行选择。</translation>
    </message>
    <message>
        <source>Goes when Magi Desktop is removed.</source>
        <translation>卸载 Magi Desktop 时一并删除。</translation>
    </message>
    <message>
        <source>Videos</source>
        <translation>视频</translation>
    </message>
    <message>
        <source>For redoing and extending videos</source>
        <translation>用于重做和延长视频</translation>
    </message>
    <message>
        <source>Models</source>
        <translation>模型</translation>
    </message>
    <message>
        <source>Settings</source>
        <translation>设置</translation>
    </message>
    <message>
        <source>Queue, library and pasted pictures</source>
        <translation>队列、作品库和粘贴的图片</translation>
    </message>
    <message>
        <source>What the set-up has installed</source>
        <translation>安装程序所安装的内容</translation>
    </message>
    <message>
        <source>What can be made again</source>
        <translation>可重新生成的内容</translation>
    </message>
    <message>
        <source>Logs</source>
        <translation>日志</translation>
    </message>
</context>
<context>
    <name>Player</name>
    <message>
        <source>Nothing to play yet.</source>
        <translation>还没有可播放的内容。</translation>
    </message>
</context>
<context>
    <name>PlayerActions</name>
    <message>
        <source>Play</source>
        <translation>播放</translation>
    </message>
    <message>
        <source>Play or pause the video.</source>
        <translation>播放或暂停视频。</translation>
    </message>
    <message>
        <source>One frame back</source>
        <translation>后退一帧</translation>
    </message>
    <message>
        <source>Go one frame back.</source>
        <translation>后退一帧。</translation>
    </message>
    <message>
        <source>One frame forward</source>
        <translation>前进一帧</translation>
    </message>
    <message>
        <source>Go one frame forward.</source>
        <translation>前进一帧。</translation>
    </message>
    <message>
        <source>One second back</source>
        <translation>后退一秒</translation>
    </message>
    <message>
        <source>Go one second back.</source>
        <translation>后退一秒。</translation>
    </message>
    <message>
        <source>One second forward</source>
        <translation>前进一秒</translation>
    </message>
    <message>
        <source>Go one second on.</source>
        <translation>前进一秒。</translation>
    </message>
    <message>
        <source>First frame</source>
        <translation>首帧</translation>
    </message>
    <message>
        <source>Go to the first frame.</source>
        <translation>转到首帧。</translation>
    </message>
    <message>
        <source>Last frame</source>
        <translation>末帧</translation>
    </message>
    <message>
        <source>Go to the last frame.</source>
        <translation>转到末帧。</translation>
    </message>
    <message>
        <source>Slower</source>
        <translation>减速</translation>
    </message>
    <message>
        <source>Play more slowly.</source>
        <translation>放慢播放。</translation>
    </message>
    <message>
        <source>Faster</source>
        <translation>加速</translation>
    </message>
    <message>
        <source>Play faster.</source>
        <translation>加快播放。</translation>
    </message>
    <message>
        <source>Loop</source>
        <translation>循环</translation>
    </message>
    <message>
        <source>Play again from the start when the video ends.</source>
        <translation>播放结束后从头重播。</translation>
    </message>
    <message>
        <source>Zoom in</source>
        <translation>放大</translation>
    </message>
    <message>
        <source>Enlarge the picture.</source>
        <translation>放大画面。</translation>
    </message>
    <message>
        <source>Zoom out</source>
        <translation>缩小</translation>
    </message>
    <message>
        <source>Shrink the picture.</source>
        <translation>缩小画面。</translation>
    </message>
    <message>
        <source>Compare</source>
        <translation>对比</translation>
    </message>
    <message>
        <source>Show the reference, or another take, beside the result.</source>
        <translation>在结果旁边显示参考或另一个版本。</translation>
    </message>
    <message>
        <source>Compare with a line</source>
        <translation>用分界线对比</translation>
    </message>
    <message>
        <source>Lay the two over each other, with a line between them that can be drawn.</source>
        <translation>把两者叠在一起，中间的分界线可以拖动。</translation>
    </message>
    <message>
        <source>Line to the left</source>
        <translation>分界线左移</translation>
    </message>
    <message>
        <source>Show more of the result.</source>
        <translation>多显示一些结果。</translation>
    </message>
    <message>
        <source>Line to the right</source>
        <translation>分界线右移</translation>
    </message>
    <message>
        <source>Show more of what it is compared with.</source>
        <translation>多显示一些对比的画面。</translation>
    </message>
    <message>
        <source>Rough preview</source>
        <translation>粗略预览</translation>
    </message>
    <message>
        <source>Show a rough preview of the part in work while playback waits for it.</source>
        <translation>播放等待时，显示正在生成部分的粗略预览。</translation>
    </message>
    <message>
        <source>Full screen</source>
        <translation>全屏</translation>
    </message>
    <message>
        <source>Fill the screen with the video.</source>
        <translation>全屏显示视频。</translation>
    </message>
    <message>
        <source>Copy this frame</source>
        <translation>复制此帧</translation>
    </message>
    <message>
        <source>Copy the frame shown to the clipboard.</source>
        <translation>将显示的帧复制到剪贴板。</translation>
    </message>
    <message>
        <source>Save this frame…</source>
        <translation>保存此帧…</translation>
    </message>
    <message>
        <source>Save the frame shown as a PNG picture.</source>
        <translation>将显示的帧保存为 PNG 图片。</translation>
    </message>
    <message>
        <source>Fit</source>
        <translation>适应</translation>
    </message>
    <message>
        <source>Fit the picture into its place.</source>
        <translation>使画面适应显示区域。</translation>
    </message>
    <message>
        <source>Show every pixel as one pixel of the screen.</source>
        <translation>每个像素对应屏幕的一个像素。</translation>
    </message>
    <message>
        <source>Show every pixel twice as large.</source>
        <translation>每个像素放大到两倍。</translation>
    </message>
    <message>
        <source>Show every pixel four times as large.</source>
        <translation>每个像素放大到四倍。</translation>
    </message>
</context>
<context>
    <name>PreferencesDialog</name>
    <message>
        <source>Preferences</source>
        <translation>偏好设置</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Everything is kept already.</source>
        <translation>所有更改均已保存。</translation>
    </message>
    <message>
        <source>&amp;Appearance</source>
        <translation>外观(&amp;A)</translation>
    </message>
    <message>
        <source>&amp;Language</source>
        <translation>语言(&amp;L)</translation>
    </message>
    <message>
        <source>Videos are made &amp;by</source>
        <translation>视频由谁制作(&amp;B)</translation>
    </message>
    <message>
        <source>&amp;Folder for videos</source>
        <translation>视频文件夹(&amp;F)</translation>
    </message>
    <message>
        <source>&amp;Room for redoing videos</source>
        <translation>重做视频所用空间(&amp;R)</translation>
    </message>
    <message>
        <source>A&amp;ttention</source>
        <translation>注意力(&amp;T)</translation>
    </message>
    <message>
        <source>&amp;Memory for frames</source>
        <translation>帧缓存(&amp;M)</translation>
    </message>
    <message>
        <source>Expert</source>
        <translation>专家</translation>
    </message>
    <message>
        <source>&amp;Graphics cards</source>
        <translation>显卡(&amp;G)</translation>
    </message>
    <message>
        <source>System</source>
        <translation>跟随系统</translation>
    </message>
    <message>
        <source>As the system is set.</source>
        <translation>与系统设置一致。</translation>
    </message>
    <message>
        <source>Light</source>
        <translation>浅色</translation>
    </message>
    <message>
        <source>Dark text on a light ground.</source>
        <translation>浅色背景，深色文字。</translation>
    </message>
    <message>
        <source>Dark</source>
        <translation>深色</translation>
    </message>
    <message>
        <source>Light text on a dark ground.</source>
        <translation>深色背景，浅色文字。</translation>
    </message>
    <message>
        <source>Appearance</source>
        <translation>外观</translation>
    </message>
    <message>
        <source>As the system</source>
        <translation>跟随系统</translation>
    </message>
    <message>
        <source>Language</source>
        <translation>语言</translation>
    </message>
    <message>
        <source>The language of this program&apos;s window.</source>
        <translation>本程序界面的语言。</translation>
    </message>
    <message>
        <source>Restart now</source>
        <translation>立即重启</translation>
    </message>
    <message>
        <source>Ends the program and starts it again.</source>
        <translation>结束程序并重新启动。</translation>
    </message>
    <message>
        <source>Folder for videos</source>
        <translation>视频文件夹</translation>
    </message>
    <message>
        <source>New videos are written here.</source>
        <translation>新视频保存在这里。</translation>
    </message>
    <message>
        <source>Choose…</source>
        <translation>选择…</translation>
    </message>
    <message>
        <source>Choose another folder for new videos.</source>
        <translation>为新视频选择其他文件夹。</translation>
    </message>
    <message>
        <source>Reset</source>
        <translation>重置</translation>
    </message>
    <message>
        <source>Write videos to the usual folder again.</source>
        <translation>恢复使用默认的视频文件夹。</translation>
    </message>
    <message>
        <source>Where videos are made</source>
        <translation>视频在哪里制作</translation>
    </message>
    <message>
        <source>The computer that makes them.</source>
        <translation>制作它们的计算机。</translation>
    </message>
    <message>
        <source>Change…</source>
        <translation>更改…</translation>
    </message>
    <message>
        <source>Choose this computer or another one.</source>
        <translation>选择本机或另一台计算机。</translation>
    </message>
    <message>
        <source>Show a rough &amp;preview of what is being made</source>
        <translation>显示正在制作部分的粗略预览(&amp;P)</translation>
    </message>
    <message>
        <source>The preview takes little time; the finished frames replace it.</source>
        <translation>预览耗时很少，完成的帧会取代它。</translation>
    </message>
    <message>
        <source>&amp;Notify me when a video is finished</source>
        <translation>视频完成时通知我(&amp;N)</translation>
    </message>
    <message>
        <source>Only while this window is not in front.</source>
        <translation>仅在此窗口不在前台时。</translation>
    </message>
    <message>
        <source>Look for &amp;updates once a day</source>
        <translation>每天检查一次更新(&amp;U)</translation>
    </message>
    <message>
        <source>Reads a list of versions on the web. Nothing is installed by itself.</source>
        <translation>从网上读取版本列表，不会自动安装任何内容。</translation>
    </message>
    <message>
        <source> MB</source>
        <translation> MB</translation>
    </message>
    <message>
        <source>Memory for frames</source>
        <translation>帧缓存</translation>
    </message>
    <message>
        <source>Frames beyond it are read from the file again when they are shown.</source>
        <translation>超出缓存的帧在显示时会重新从文件读取。</translation>
    </message>
    <message>
        <source> GB</source>
        <translation> GB</translation>
    </message>
    <message>
        <source>Room for redoing videos</source>
        <translation>重做视频所用空间</translation>
    </message>
    <message>
        <source>What is kept there lets videos be redone or extended without loss; the oldest go first. 0 keeps nothing.</source>
        <translation>保留在这里的内容可让视频无损地重做或延长；最早的会先被删除。0 表示不保留。</translation>
    </message>
    <message>
        <source>Fastest; may round to 8 bits</source>
        <translation>最快；可能舍入到 8 位</translation>
    </message>
    <message>
        <source>Exact</source>
        <translation>精确</translation>
    </message>
    <message>
        <source>Attention</source>
        <translation>注意力</translation>
    </message>
    <message>
        <source>Which kernel of the graphics card compares the parts of a video.</source>
        <translation>由显卡的哪个内核来比较视频的各个部分。</translation>
    </message>
    <message>
        <source>For NVIDIA graphics cards, from the next video on.</source>
        <translation>适用于 NVIDIA 显卡，从下一个视频起生效。</translation>
    </message>
    <message>
        <source>The best one</source>
        <translation>最快的一块</translation>
    </message>
    <message>
        <source>All</source>
        <translation>全部</translation>
    </message>
    <message>
        <source>Graphics cards</source>
        <translation>显卡</translation>
    </message>
    <message>
        <source>Which of them makes videos, or how many together, where that is faster.</source>
        <translation>由哪一块显卡生成视频，或在更快时由几块一起生成。</translation>
    </message>
    <message>
        <source>NVIDIA cards of one kind, on Linux; the line under Generate counts with them.</source>
        <translation>仅限 Linux 上同型号的 NVIDIA 显卡；“生成”按钮下方的估算会把它们计算在内。</translation>
    </message>
    <message>
        <source>This computer</source>
        <translation>这台电脑</translation>
    </message>
</context>
<context>
    <name>PreflightLine</name>
    <message>
        <source>about {}</source>
        <translation>约 {}</translation>
    </message>
    <message>
        <source>{needed} of {all} graphics memory</source>
        <translation>显存 {needed} / {all}</translation>
    </message>
    <message>
        <source>Estimating …</source>
        <translation>正在估算…</translation>
    </message>
    <message numerus="yes">
        <source>{} s, %n frame(s)</source>
        <translation>
            <numerusform>{} 秒，%n 帧</numerusform>
        </translation>
    </message>
    <message>
        <source>{needed} of {all} memory</source>
        <translation>内存 {needed} / {all}</translation>
    </message>
    <message>
        <source>{} on disk</source>
        <translation>磁盘 {}</translation>
    </message>
    <message>
        <source>roughly {}</source>
        <translation>大约 {}</translation>
    </message>
    <message>
        <source>Reading the prompt: {}</source>
        <translation>读取提示词：{}</translation>
    </message>
    <message>
        <source>Loading the model: {}</source>
        <translation>加载模型：{}</translation>
    </message>
    <message>
        <source>Getting it up to speed: {}</source>
        <translation>预热：{}</translation>
    </message>
    <message>
        <source>until you stop it</source>
        <translation>直到您停止</translation>
    </message>
    <message>
        <source>made by {}</source>
        <translation>由 {} 制作</translation>
    </message>
    <message>
        <source>a second every {}</source>
        <translation>每秒视频用时 {}</translation>
    </message>
    <message>
        <source>a second roughly every {}</source>
        <translation>每秒视频大约用时 {}</translation>
    </message>
    <message>
        <source>Making the frames: {}</source>
        <translation>生成画面：{}</translation>
    </message>
    <message>
        <source>Decoding and writing: {}</source>
        <translation>解码并写入：{}</translation>
    </message>
    <message>
        <source>The first second can be seen after {}.</source>
        <translation>{} 后可看到第一秒。</translation>
    </message>
    <message>
        <source>Guessed from the device; after the first video it is measured.</source>
        <translation>根据设备估算；生成第一个视频后即为实测值。</translation>
    </message>
    <message>
        <source>Changes this setting, so that the video fits.</source>
        <translation>更改此项设置，使视频放得下。</translation>
    </message>
</context>
<context>
    <name>PresetBar</name>
    <message>
        <source>Preset</source>
        <translation>预设</translation>
    </message>
    <message>
        <source>Save as a preset</source>
        <translation>保存为预设</translation>
    </message>
    <message>
        <source>Keep the current settings under a name.</source>
        <translation>为当前设置命名并保存。</translation>
    </message>
    <message>
        <source>Presets and configuration files</source>
        <translation>预设和配置文件</translation>
    </message>
    <message>
        <source>Rename and delete presets, import and export official configurations.</source>
        <translation>重命名和删除预设，导入和导出官方配置。</translation>
    </message>
    <message>
        <source>&amp;Import a configuration…</source>
        <translation>导入配置(&amp;I)…</translation>
    </message>
    <message>
        <source>&amp;Export as a configuration…</source>
        <translation>导出为配置(&amp;E)…</translation>
    </message>
    <message>
        <source>“{0}” does not fit any more: {1}</source>
        <translation>“{0}”已不再适用：{1}</translation>
    </message>
    <message>
        <source>“{}” is in use.</source>
        <translation>正在使用“{}”。</translation>
    </message>
    <message>
        <source>Settings that you have kept under a name.</source>
        <translation>您以名称保存的设置。</translation>
    </message>
    <message>
        <source>Choose a preset</source>
        <translation>选择预设</translation>
    </message>
    <message>
        <source>No presets yet</source>
        <translation>还没有预设</translation>
    </message>
    <message>
        <source>There is a preset of that name already.</source>
        <translation>已有同名的预设。</translation>
    </message>
    <message>
        <source>“{}” was replaced.</source>
        <translation>已替换“{}”。</translation>
    </message>
    <message>
        <source>Rename the preset</source>
        <translation>重命名预设</translation>
    </message>
    <message>
        <source>Name of the preset:</source>
        <translation>预设名称：</translation>
    </message>
    <message>
        <source>“{}” was deleted.</source>
        <translation>已删除“{}”。</translation>
    </message>
    <message>
        <source>&amp;Rename “{}”…</source>
        <translation>重命名“{}”(&amp;R)…</translation>
    </message>
    <message>
        <source>&amp;Rename the preset…</source>
        <translation>重命名预设(&amp;R)…</translation>
    </message>
    <message>
        <source>&amp;Delete “{}”</source>
        <translation>删除“{}”(&amp;D)</translation>
    </message>
    <message>
        <source>&amp;Delete the preset</source>
        <translation>删除预设(&amp;D)</translation>
    </message>
    <message>
        <source>Import a configuration</source>
        <translation>导入配置</translation>
    </message>
    <message>
        <source>Export as a configuration</source>
        <translation>导出为配置</translation>
    </message>
    <message>
        <source>Saved as {}.</source>
        <translation>已保存为 {}。</translation>
    </message>
    <message>
        <source>The settings are those of {}.</source>
        <translation>现在的设置来自 {}。</translation>
    </message>
    <message>
        <source>{} is used as it is, with the model it names.</source>
        <translation>直接使用 {} 及其指定的模型。</translation>
    </message>
    <message>
        <source>Official configurations (*.json)</source>
        <translation>官方配置 (*.json)</translation>
    </message>
</context>
<context>
    <name>Progress</name>
    <message>
        <source>Paused</source>
        <translation>已暂停</translation>
    </message>
    <message>
        <source>Stopping after this step</source>
        <translation>完成此步后停止</translation>
    </message>
    <message>
        <source>Done in {}</source>
        <translation>完成，用时 {}</translation>
    </message>
    <message>
        <source>Stopped; the video so far is kept</source>
        <translation>已停止，已生成的部分已保留</translation>
    </message>
    <message>
        <source>Stopped</source>
        <translation>已停止</translation>
    </message>
    <message>
        <source>Finishing {part}</source>
        <translation>正在完成{part}</translation>
    </message>
    <message>
        <source>Making {part}, step {step} of {steps}</source>
        <translation>正在制作{part}，第 {step} 步，共 {steps} 步</translation>
    </message>
    <message>
        <source>Starting</source>
        <translation>正在开始</translation>
    </message>
    <message>
        <source>Beginning {part}</source>
        <translation>正在开始{part}</translation>
    </message>
    <message>
        <source>second {}</source>
        <translation>第 {} 秒</translation>
    </message>
    <message>
        <source>part {}</source>
        <translation>第 {} 部分</translation>
    </message>
    <message>
        <source>Starting the engine</source>
        <translation>正在启动引擎</translation>
    </message>
    <message>
        <source>{:.1f} frames/s</source>
        <translation>{:.1f} 帧/秒</translation>
    </message>
    <message>
        <source>{} left</source>
        <translation>剩余 {}</translation>
    </message>
    <message>
        <source>Completing the video</source>
        <translation>正在完成视频</translation>
    </message>
    <message>
        <source>{} s</source>
        <translation>{} 秒</translation>
    </message>
    <message>
        <source>Ready: {}</source>
        <translation>已完成：{}</translation>
    </message>
    <message>
        <source>Ready: {ready} of {all}</source>
        <translation>已完成：{ready}，共 {all}</translation>
    </message>
    <message>
        <source>more in {}</source>
        <translation>{} 后有新内容</translation>
    </message>
    <message>
        <source>8-bit arithmetic</source>
        <translation>8 位运算</translation>
    </message>
    <message>
        <source>{m} min {s:02d} s</source>
        <translation>{m} 分 {s:02d} 秒</translation>
    </message>
    <message>
        <source>{h} h {m:02d} min</source>
        <translation>{h} 小时 {m:02d} 分</translation>
    </message>
    <message>
        <source>{percent} %</source>
        <translation>{percent}%</translation>
    </message>
    <message>
        <source>{} days</source>
        <translation>{} 天</translation>
    </message>
    <message>
        <source>{} h</source>
        <translation>{} 小时</translation>
    </message>
    <message>
        <source>{} min</source>
        <translation>{} 分钟</translation>
    </message>
</context>
<context>
    <name>ProgressPanel</name>
    <message>
        <source>Progress of the video</source>
        <translation>视频进度</translation>
    </message>
    <message>
        <source>Stop</source>
        <translation>停止</translation>
    </message>
    <message>
        <source>Stop here and keep the video made so far (Ctrl+.).</source>
        <translation>在此停止并保留已生成的视频 (Ctrl+.)。</translation>
    </message>
    <message>
        <source>Stop the video</source>
        <translation>停止生成</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>暂停</translation>
    </message>
    <message>
        <source>Go on with the video.</source>
        <translation>继续生成视频。</translation>
    </message>
    <message>
        <source>Stand still after the current step; nothing is lost.</source>
        <translation>当前步完成后暂停，不会丢失任何内容。</translation>
    </message>
</context>
<context>
    <name>PromptPanel</name>
    <message>
        <source>Prompt</source>
        <translation>提示词</translation>
    </message>
    <message>
        <source>Examples</source>
        <translation>示例</translation>
    </message>
    <message>
        <source>Take a prompt that the chosen model can do.</source>
        <translation>选用所选模型能胜任的提示词。</translation>
    </message>
    <message>
        <source>Used prompts</source>
        <translation>用过的提示词</translation>
    </message>
    <message>
        <source>Take a prompt you have used before (Alt+Up).</source>
        <translation>选用以前用过的提示词 (Alt+Up)。</translation>
    </message>
    <message>
        <source>Describe the video in English.</source>
        <translation>请用英文描述视频。</translation>
    </message>
    <message>
        <source>What can be seen, and how does it move?</source>
        <translation>画面中有什么？如何运动？</translation>
    </message>
    <message>
        <source>What is in the picture, and how does it begin to move?</source>
        <translation>图片中有什么？如何动起来？</translation>
    </message>
    <message>
        <source>What is in the video, and how does it go on?</source>
        <translation>视频中有什么？接下来如何？</translation>
    </message>
    <message>
        <source>about {}</source>
        <translation>约 {}</translation>
    </message>
    <message>
        <source>How much of what the model can read the prompt takes, in tokens.</source>
        <translation>提示词占模型可读长度的多少，以词元计。</translation>
    </message>
    <message>
        <source>Counted with another tokenizer, since the model is not here yet.</source>
        <translation>模型尚未就位，此数用其他分词器估算。</translation>
    </message>
    <message>
        <source>Too long. Not read any more from: “{}”</source>
        <translation>过长，从此处起不再读取：“{}”</translation>
    </message>
    <message>
        <source>The model reads nothing of: “{}”. Say it in English.</source>
        <translation>模型完全不读取：“{}”。请用英文描述。</translation>
    </message>
    <message>
        <source>The model reads English only; other languages mislead it.</source>
        <translation>模型只懂英文，其他语言会误导它。</translation>
    </message>
    <message>
        <source>The model does not read, or only in part: “{}”</source>
        <translation>模型不会读取、或只读取一部分：“{}”</translation>
    </message>
</context>
<context>
    <name>QualityRow</name>
    <message>
        <source>&amp;Quality</source>
        <translation>质量(&amp;Q)</translation>
    </message>
    <message>
        <source>More steps make a finer picture and take proportionally longer.</source>
        <translation>步数越多画面越精细，耗时也相应增加。</translation>
    </message>
    <message numerus="yes">
        <source>{} · %n step(s)</source>
        <translation>
            <numerusform>{} · %n 步</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Moved from {} to %n step(s), which fit the seconds worked on at once.</source>
        <translation>
            <numerusform>已从 {} 步改为 %n 步，以配合同时制作的秒数。</numerusform>
        </translation>
    </message>
    <message>
        <source>Fast</source>
        <translation>快速</translation>
    </message>
    <message>
        <source>Quick</source>
        <translation>较快</translation>
    </message>
    <message>
        <source>Balanced</source>
        <translation>均衡</translation>
    </message>
    <message>
        <source>Fine</source>
        <translation>精细</translation>
    </message>
</context>
<context>
    <name>QuestionDialog</name>
    <message>
        <source>Looking at what is there…</source>
        <translation>正在查看…</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Changes nothing.</source>
        <translation>不作任何更改。</translation>
    </message>
</context>
<context>
    <name>QueueDelegate</name>
    <message>
        <source>Paused</source>
        <translation>已暂停</translation>
    </message>
    <message>
        <source>Stopping</source>
        <translation>正在停止</translation>
    </message>
    <message>
        <source>Being made</source>
        <translation>正在生成</translation>
    </message>
    <message>
        <source>Being made · {percent} %</source>
        <translation>正在生成 · {percent}%</translation>
    </message>
</context>
<context>
    <name>QueueModel</name>
    <message>
        <source>You are editing it: it does not start until you put it back.</source>
        <translation>您正在编辑它：放回之前不会开始。</translation>
    </message>
    <message>
        <source>It could not be made.</source>
        <translation>未能生成。</translation>
    </message>
    <message>
        <source>Interrupted: the program ended while this was being made.</source>
        <translation>已中断：生成期间程序退出。</translation>
    </message>
</context>
<context>
    <name>QueuePanel</name>
    <message>
        <source>Show or hide what could not be made, and why.</source>
        <translation>显示或隐藏未能生成的视频及原因。</translation>
    </message>
    <message>
        <source>Clear</source>
        <translation>清除</translation>
    </message>
    <message>
        <source>Take all that failed out of the queue.</source>
        <translation>将所有失败的视频移出队列。</translation>
    </message>
    <message>
        <source>Nothing is waiting. Videos you ask for line up here.</source>
        <translation>没有等待的视频。您要求生成的视频会在这里排队。</translation>
    </message>
    <message>
        <source>Duplicate</source>
        <translation>创建副本</translation>
    </message>
    <message>
        <source>How many copies, each with its own seed?</source>
        <translation>要多少份？各用不同的种子。</translation>
    </message>
    <message numerus="yes">
        <source>%n video(s) removed.</source>
        <translation>
            <numerusform>已移除 %n 个视频。</numerusform>
        </translation>
    </message>
    <message>
        <source>Queue</source>
        <translation>队列</translation>
    </message>
    <message>
        <source>Edit</source>
        <translation>编辑</translation>
    </message>
    <message>
        <source>Duplicate …</source>
        <translation>创建副本…</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
    <message>
        <source>Move up</source>
        <translation>上移</translation>
    </message>
    <message>
        <source>Move down</source>
        <translation>下移</translation>
    </message>
    <message>
        <source>Remove</source>
        <translation>移除</translation>
    </message>
    <message>
        <source>Change this video before it is made.</source>
        <translation>在生成前修改此视频。</translation>
    </message>
    <message>
        <source>Line up more of it with other seeds.</source>
        <translation>用其他种子再排入几份。</translation>
    </message>
    <message>
        <source>Let a failed video wait again.</source>
        <translation>让失败的视频重新排队。</translation>
    </message>
    <message>
        <source>Make this video earlier (Alt+Up).</source>
        <translation>提前生成此视频 (Alt+Up)。</translation>
    </message>
    <message>
        <source>Make this video later (Alt+Down).</source>
        <translation>推后生成此视频 (Alt+Down)。</translation>
    </message>
    <message>
        <source>Take this video out of the queue (Del).</source>
        <translation>将此视频移出队列 (Del)。</translation>
    </message>
    <message numerus="yes">
        <source>%n failed</source>
        <translation>
            <numerusform>%n 个失败</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n video(s) waiting</source>
        <translation>
            <numerusform>%n 个视频等待中</numerusform>
        </translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>Go on with the queue.</source>
        <translation>继续处理队列。</translation>
    </message>
    <message>
        <source>Stop after this</source>
        <translation>完成后停止</translation>
    </message>
    <message>
        <source>Finish the video being made and start no other.</source>
        <translation>完成当前视频，不再开始其他视频。</translation>
    </message>
    <message>
        <source>Hold</source>
        <translation>暂停</translation>
    </message>
    <message>
        <source>Start no further video for now.</source>
        <translation>暂不开始新的视频。</translation>
    </message>
</context>
<context>
    <name>RedoDialog</name>
    <message>
        <source>Redo from here</source>
        <translation>从这里重做</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Changes nothing.</source>
        <translation>不作任何更改。</translation>
    </message>
    <message numerus="yes">
        <source>%n variation(s)</source>
        <translation>
            <numerusform>%n 个变体</numerusform>
        </translation>
    </message>
    <message>
        <source>Make it several times, each with a seed of its own.</source>
        <translation>制作多次，每次使用各自的种子。</translation>
    </message>
    <message>
        <source>Redo</source>
        <translation>重做</translation>
    </message>
    <message>
        <source>Line up the new video (Ctrl+Enter).</source>
        <translation>将新视频加入队列（Ctrl+Enter）。</translation>
    </message>
    <message>
        <source>&amp;From</source>
        <translation>起点(&amp;F)</translation>
    </message>
    <message>
        <source>&amp;Prompt</source>
        <translation>提示词(&amp;P)</translation>
    </message>
    <message>
        <source>&amp;Begins</source>
        <translation>开头(&amp;B)</translation>
    </message>
    <message>
        <source>&amp;Length</source>
        <translation>时长(&amp;L)</translation>
    </message>
    <message>
        <source>{} s</source>
        <translation>{} 秒</translation>
    </message>
    <message>
        <source>the end, {} s</source>
        <translation>结尾，{} 秒</translation>
    </message>
    <message>
        <source>From</source>
        <translation>从</translation>
    </message>
    <message>
        <source>All before it stays as it is.</source>
        <translation>之前的部分保持不变。</translation>
    </message>
    <message>
        <source>Prompt</source>
        <translation>提示词</translation>
    </message>
    <message>
        <source>What the model is to show from then on.</source>
        <translation>从此处起要呈现的内容。</translation>
    </message>
    <message>
        <source> s</source>
        <translation> 秒</translation>
    </message>
    <message>
        <source>Length</source>
        <translation>时长</translation>
    </message>
    <message>
        <source>How much is made from there on.</source>
        <translation>从那里起制作多长。</translation>
    </message>
    <message>
        <source>With another &amp;seed</source>
        <translation>使用另一个种子(&amp;S)</translation>
    </message>
    <message>
        <source>With another seed</source>
        <translation>使用另一个种子</translation>
    </message>
    <message>
        <source>The same words and the same seed give the same video again.</source>
        <translation>相同的提示词和相同的种子会再次得到相同的视频。</translation>
    </message>
    <message>
        <source>Go on from the end</source>
        <translation>从结尾继续</translation>
    </message>
    <message>
        <source>It goes on from what was kept of it, without loss. This makes a new video.</source>
        <translation>从保留的内容无损地继续。这会生成一个新视频。</translation>
    </message>
    <message>
        <source>What comes before stays as it is, to the last bit. This makes a new one.</source>
        <translation>之前的部分原样保留，一位不差。这会生成一个新视频。</translation>
    </message>
    <message>
        <source>The later prompts give way to these words.</source>
        <translation>之后的提示词将由这些文字取代。</translation>
    </message>
    <message>
        <source>Go on</source>
        <translation>继续</translation>
    </message>
</context>
<context>
    <name>ReferenceCard</name>
    <message>
        <source>Use a sample picture</source>
        <translation>使用示例图片</translation>
    </message>
    <message>
        <source>A coloured ball, such as this model can set in motion.</source>
        <translation>一个彩色小球，此模型能让它动起来。</translation>
    </message>
    <message>
        <source>Choose another file</source>
        <translation>选择其他文件</translation>
    </message>
    <message>
        <source>Choose another file.</source>
        <translation>请选择其他文件。</translation>
    </message>
    <message>
        <source>Remove the reference</source>
        <translation>移除参考素材</translation>
    </message>
    <message>
        <source>Take it out again.</source>
        <translation>将其移除。</translation>
    </message>
    <message>
        <source>Put the source in front of the result</source>
        <translation>将源视频放在结果之前</translation>
    </message>
    <message>
        <source>The file begins with the source video and goes on with the new one.</source>
        <translation>文件以源视频开头，后接新视频。</translation>
    </message>
    <message>
        <source>Use the image&apos;s shape</source>
        <translation>使用图片的比例</translation>
    </message>
    <message>
        <source>Use the video&apos;s shape</source>
        <translation>使用视频的比例</translation>
    </message>
    <message>
        <source>Make the video {width} x {height}, which comes closest.</source>
        <translation>将视频设为最接近的 {width} x {height}。</translation>
    </message>
    <message>
        <source>Uses {used} of {all} pixels.</source>
        <translation>使用 {all} 像素中的 {used}。</translation>
    </message>
    <message>
        <source>Crop</source>
        <translation>裁剪</translation>
    </message>
    <message>
        <source>Fill the video and cut off what stands over.</source>
        <translation>填满画面，裁掉多余部分。</translation>
    </message>
    <message>
        <source>Bars</source>
        <translation>黑边</translation>
    </message>
    <message>
        <source>Show all of it, with black bars where nothing is.</source>
        <translation>完整显示，空余处补黑边。</translation>
    </message>
    <message>
        <source>Stretch</source>
        <translation>拉伸</translation>
    </message>
    <message>
        <source>Distort it to the shape of the video.</source>
        <translation>拉伸到视频的比例。</translation>
    </message>
    <message>
        <source>Fit into the video</source>
        <translation>画面适配方式</translation>
    </message>
    <message>
        <source>{:.1f} s</source>
        <translation>{:.1f} 秒</translation>
    </message>
    <message>
        <source>{:.4g} fps</source>
        <translation>{:.4g} 帧/秒</translation>
    </message>
</context>
<context>
    <name>ReferencePanel</name>
    <message>
        <source>Choose an image</source>
        <translation>选择图片</translation>
    </message>
    <message>
        <source>Choose a video</source>
        <translation>选择视频</translation>
    </message>
    <message>
        <source>Images</source>
        <translation>图片</translation>
    </message>
    <message>
        <source>Videos</source>
        <translation>视频</translation>
    </message>
    <message>
        <source>All files (*)</source>
        <translation>所有文件 (*)</translation>
    </message>
    <message>
        <source>{} was taken out.</source>
        <translation>已移除 {}。</translation>
    </message>
    <message>
        <source>The video takes its shape: {width} × {height}.</source>
        <translation>视频采用它的形状：{width} × {height}。</translation>
    </message>
    <message>
        <source>Reading the file…</source>
        <translation>正在读取文件…</translation>
    </message>
    <message>
        <source>Drop a video here</source>
        <translation>将视频拖到这里</translation>
    </message>
    <message>
        <source>The new video goes on where it ends.</source>
        <translation>新视频从它的结尾处继续。</translation>
    </message>
    <message>
        <source>Drop a picture here</source>
        <translation>将图片拖到这里</translation>
    </message>
    <message>
        <source>or paste one; it becomes the first frame.</source>
        <translation>或直接粘贴，它将成为首帧。</translation>
    </message>
    <message>
        <source>Choose a picture</source>
        <translation>选择图片</translation>
    </message>
    <message>
        <source>Choose a file from this computer.</source>
        <translation>从这台电脑选择文件。</translation>
    </message>
    <message>
        <source>{} is gone. Put it back or choose another file.</source>
        <translation>{} 已不存在。请将其放回或选择其他文件。</translation>
    </message>
</context>
<context>
    <name>ScaleRow</name>
    <message>
        <source>Built into this model: it is distilled, and takes no other value.</source>
        <translation>此模型已蒸馏，该值内置于模型，无法更改。</translation>
    </message>
</context>
<context>
    <name>ScrubBar</name>
    <message>
        <source>Position in the video</source>
        <translation>播放位置</translation>
    </message>
    <message>
        <source>Drag to go to another moment of the video.</source>
        <translation>拖动以跳到视频的其他时刻。</translation>
    </message>
    <message>
        <source>{time}  ·  frame {frame}</source>
        <translation>{time}  ·  第 {frame} 帧</translation>
    </message>
    <message>
        <source>{place}, not made yet</source>
        <translation>{place}，尚未生成</translation>
    </message>
</context>
<context>
    <name>SeedRow</name>
    <message>
        <source>New seed</source>
        <translation>新种子</translation>
    </message>
    <message>
        <source>Throw the dice for another seed, and keep it.</source>
        <translation>随机换一个种子并锁定。</translation>
    </message>
    <message>
        <source>Copy the seed</source>
        <translation>复制种子</translation>
    </message>
    <message>
        <source>Put the seed on the clipboard.</source>
        <translation>将种子复制到剪贴板。</translation>
    </message>
    <message>
        <source>Keep this seed</source>
        <translation>锁定此种子</translation>
    </message>
    <message>
        <source>Locked: each video has this seed. Open: each video gets a fresh one.</source>
        <translation>锁定：每个视频都用此种子。未锁定：每个视频用新的种子。</translation>
    </message>
    <message>
        <source>The same seed with the same settings makes the same video again.</source>
        <translation>相同的种子和设置会生成相同的视频。</translation>
    </message>
    <message>
        <source>S&amp;eed</source>
        <translation>种子(&amp;E)</translation>
    </message>
    <message>
        <source>Every video gets this seed.</source>
        <translation>每个视频都用此种子。</translation>
    </message>
    <message>
        <source>The queued video keeps this seed.</source>
        <translation>队列中的视频保留此种子。</translation>
    </message>
    <message>
        <source>The next video gets a fresh seed.</source>
        <translation>下一个视频会用新的种子。</translation>
    </message>
    <message>
        <source>Copied.</source>
        <translation>已复制。</translation>
    </message>
</context>
<context>
    <name>SettingsFile</name>
    <message>
        <source>The disk is full: the settings cannot be saved. Free some space.</source>
        <translation>磁盘已满：无法保存设置。请释放一些空间。</translation>
    </message>
    <message>
        <source>The settings cannot be saved in {}. Check that you may write there.</source>
        <translation>无法在 {} 中保存设置。请检查是否有写入权限。</translation>
    </message>
    <message>
        <source>The settings cannot be read; the usual ones are used.</source>
        <translation>无法读取设置，已使用默认设置。</translation>
    </message>
    <message>
        <source>The settings were damaged and start afresh. Kept as: {}</source>
        <translation>设置已损坏并重新开始。旧文件保留为：{}</translation>
    </message>
    <message>
        <source>The settings belong to a newer version of this program and are left alone.</source>
        <translation>设置属于本程序的更新版本，未作改动。</translation>
    </message>
</context>
<context>
    <name>SetupWindow</name>
    <message>
        <source>Looking up what is needed…</source>
        <translation>正在查找所需内容…</translation>
    </message>
    <message>
        <source>Starting…</source>
        <translation>正在开始…</translation>
    </message>
    <message>
        <source>Folder of packages</source>
        <translation>软件包文件夹</translation>
    </message>
    <message>
        <source>Magi Desktop sets itself up</source>
        <translation>Magi Desktop 正在设置</translation>
    </message>
    <message>
        <source>GPU support</source>
        <translation>GPU 支持</translation>
    </message>
    <message>
        <source>The recommended one fits.</source>
        <translation>推荐的选项即可。</translation>
    </message>
    <message>
        <source>Use a folder of packages…</source>
        <translation>使用软件包文件夹…</translation>
    </message>
    <message>
        <source>Installs without a network.</source>
        <translation>无需网络即可安装。</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>What was fetched is kept.</source>
        <translation>已下载的内容会保留。</translation>
    </message>
    <message>
        <source>Leaves everything as it is.</source>
        <translation>一切保持原样。</translation>
    </message>
    <message>
        <source>Install</source>
        <translation>安装</translation>
    </message>
    <message>
        <source>Fetches and installs.</source>
        <translation>下载并安装。</translation>
    </message>
    <message>
        <source>Magi Desktop becomes version {}</source>
        <translation>Magi Desktop 将更新到版本 {}</translation>
    </message>
    <message>
        <source>GPU support and repair</source>
        <translation>GPU 支持与修复</translation>
    </message>
    <message>
        <source>Start version {}</source>
        <translation>启动版本 {}</translation>
    </message>
    <message>
        <source>Start as it is</source>
        <translation>直接启动</translation>
    </message>
    <message>
        <source>Update</source>
        <translation>更新</translation>
    </message>
    <message>
        <source>Repair</source>
        <translation>修复</translation>
    </message>
    <message>
        <source>Change</source>
        <translation>更改</translation>
    </message>
    <message>
        <source>Without a GPU</source>
        <translation>不使用 GPU</translation>
    </message>
    <message>
        <source>NVIDIA GPU, CUDA {version}</source>
        <translation>NVIDIA GPU，CUDA {version}</translation>
    </message>
    <message>
        <source>{name} (recommended)</source>
        <translation>{name}（推荐）</translation>
    </message>
    <message>
        <source>{download} to fetch, {disk} GB of space needed; {free} GB are free.</source>
        <translation>需下载 {download}，需要 {disk} GB 空间；可用 {free} GB。</translation>
    </message>
    <message>
        <source>Stopped. What was fetched is kept.</source>
        <translation>已停止。已下载的内容会保留。</translation>
    </message>
    <message>
        <source>What was there before is still in use.</source>
        <translation>仍在使用之前的内容。</translation>
    </message>
    <message>
        <source>Try again</source>
        <translation>重试</translation>
    </message>
</context>
<context>
    <name>ShortcutRow</name>
    <message>
        <source>Shortcut steps</source>
        <translation>快捷步</translation>
    </message>
    <message>
        <source>Whether large steps come first or last, as one part of so many.</source>
        <translation>大步在前还是在后，以几分之一表示。</translation>
    </message>
    <message>
        <source>Matters for numbers of steps that divide by 3, such as 12.</source>
        <translation>仅在步数能被 3 整除（如 12）时有作用。</translation>
    </message>
</context>
<context>
    <name>SizeRow</name>
    <message>
        <source>Swap width and height</source>
        <translation>交换宽高</translation>
    </message>
    <message>
        <source>Turn the picture from wide to tall or back.</source>
        <translation>在横向与竖向画面之间切换。</translation>
    </message>
    <message>
        <source>Width of the picture in pixels, a multiple of {}.</source>
        <translation>画面宽度（像素），须为 {} 的倍数。</translation>
    </message>
    <message>
        <source>&amp;Size</source>
        <translation>尺寸(&amp;S)</translation>
    </message>
    <message>
        <source>Width</source>
        <translation>宽度</translation>
    </message>
    <message>
        <source>Height</source>
        <translation>高度</translation>
    </message>
    <message>
        <source>Height of the picture in pixels, a multiple of {}.</source>
        <translation>画面高度（像素），须为 {} 的倍数。</translation>
    </message>
    <message>
        <source>{0} × {1} pixels, about as many as the model&apos;s own picture has.</source>
        <translation>{0} × {1} 像素，与模型原生画面的像素数相近。</translation>
    </message>
    <message>
        <source>Shape {}</source>
        <translation>比例 {}</translation>
    </message>
    <message>
        <source>{0} × {1} cannot be made; the nearest size is {2} × {3}.</source>
        <translation>无法生成 {0} × {1}；最接近的尺寸是 {2} × {3}。</translation>
    </message>
</context>
<context>
    <name>SpeedDialog</name>
    <message>
        <source>How fast is this computer?</source>
        <translation>这台电脑有多快？</translation>
    </message>
    <message>
        <source>Makes videos of four seconds, which are not kept, with a model of full size that is made for this, or without an NVIDIA graphics card with the pocket model. That takes about a minute, and nothing is downloaded. Loaded models are put away.</source>
        <translation>用临时生成的完整尺寸模型制作四秒的视频（没有 NVIDIA 显卡时使用袖珍模型），视频不会保留。大约需要一分钟，不下载任何内容。已加载的模型会被卸载。</translation>
    </message>
    <message>
        <source>Progress of the measurement</source>
        <translation>测量进度</translation>
    </message>
    <message>
        <source>The result will be here.</source>
        <translation>结果将显示在这里。</translation>
    </message>
    <message>
        <source>Result</source>
        <translation>结果</translation>
    </message>
    <message>
        <source>What was measured.</source>
        <translation>测量所得的结果。</translation>
    </message>
    <message>
        <source>Copy</source>
        <translation>复制</translation>
    </message>
    <message>
        <source>Put all of it on the clipboard.</source>
        <translation>把全部内容放到剪贴板。</translation>
    </message>
    <message>
        <source>Measure</source>
        <translation>测量</translation>
    </message>
    <message>
        <source>Begin; it can be cancelled.</source>
        <translation>开始测量；可以取消。</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Back to the window.</source>
        <translation>回到主窗口。</translation>
    </message>
    <message>
        <source>Cancelled.</source>
        <translation>已取消。</translation>
    </message>
    <message>
        <source>It could not be measured; the log says why.</source>
        <translation>无法测量；日志中有原因。</translation>
    </message>
    <message>
        <source>Ending…</source>
        <translation>正在结束…</translation>
    </message>
    <message>
        <source>Waiting for the engine…</source>
        <translation>正在等待引擎…</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
</context>
<context>
    <name>StillExport</name>
    <message>
        <source>Save this frame</source>
        <translation>保存此帧</translation>
    </message>
    <message>
        <source>PNG picture (*.png)</source>
        <translation>PNG 图片 (*.png)</translation>
    </message>
    <message>
        <source>{name} could not be written. Choose another folder.</source>
        <translation>无法写入 {name}。请选择其他文件夹。</translation>
    </message>
</context>
<context>
    <name>StoragePage</name>
    <message>
        <source>Nothing is stored besides the models themselves.</source>
        <translation>除模型本身外没有存储其他内容。</translation>
    </message>
    <message>
        <source>{} besides the models themselves; all of it can be had again.</source>
        <translation>除模型本身外占用 {}；全部都可以重新得到。</translation>
    </message>
    <message>
        <source>{} besides the models themselves; all but what videos are redone from can be had again.</source>
        <translation>除模型本身外占用 {}；除重做视频所需的数据外，全部都可以重新得到。</translation>
    </message>
</context>
<context>
    <name>Store</name>
    <message>
        <source>The list of your videos was damaged. A new one was begun; the old one is kept as {name}.</source>
        <translation>您的视频列表已损坏。已新建列表，旧列表保留为 {name}。</translation>
    </message>
    <message>
        <source>The list of your videos was made by a newer version of this program. It was left alone; this version keeps its own list.</source>
        <translation>您的视频列表由本程序的更新版本创建。它未被改动，此版本使用自己的列表。</translation>
    </message>
    <message>
        <source>The program is open already. The queue of this window will not be kept.</source>
        <translation>程序已在运行。此窗口的队列不会保存。</translation>
    </message>
    <message>
        <source>The disk is full: the queue and the library cannot be saved in {folder}. Free some space, then start the program again.</source>
        <translation>磁盘已满：无法在 {folder} 中保存队列和媒体库。请释放一些空间，然后重新启动程序。</translation>
    </message>
    <message>
        <source>The queue and the library cannot be saved in {folder}. Check that you may write there.</source>
        <translation>无法将队列和作品库保存到 {folder}。请确认您有写入权限。</translation>
    </message>
    <message>
        <source>A change to the queue or the library could not be saved. Check that the disk is not full.</source>
        <translation>队列或作品库的更改未能保存。请确认磁盘未满。</translation>
    </message>
</context>
<context>
    <name>TakeRows</name>
    <message>
        <source>Takes of this video</source>
        <translation>这个视频的各个版本</translation>
    </message>
    <message>
        <source>Takes</source>
        <translation>版本</translation>
    </message>
    <message>
        <source>New take</source>
        <translation>新版本</translation>
    </message>
    <message>
        <source>Take {}</source>
        <translation>版本 {}</translation>
    </message>
    <message>
        <source>Compare with {take}</source>
        <translation>与{take}对比</translation>
    </message>
    <message>
        <source>Export the marked way…</source>
        <translation>导出标记的路线…</translation>
    </message>
    <message>
        <source>Forget the marked way</source>
        <translation>清除标记的路线</translation>
    </message>
    <message>
        <source>Take {number} of {count}</source>
        <translation>第 {number} 个版本，共 {count} 个</translation>
    </message>
    <message>
        <source>{take}, as take {other} up to {time}</source>
        <translation>{take}，到 {time} 为止与版本 {other} 相同</translation>
    </message>
</context>
<context>
    <name>TaskBox</name>
    <message>
        <source>Progress of {}</source>
        <translation>{} 的进度</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>暂停</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>Stops; what has come so far is kept for another time.</source>
        <translation>停止；已下载的部分会保留到下次。</translation>
    </message>
    <message>
        <source>Cancel: {}</source>
        <translation>取消：{}</translation>
    </message>
    <message>
        <source>Resume</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>Goes on where it stopped.</source>
        <translation>从中断处继续。</translation>
    </message>
    <message>
        <source>Stands still, also after a restart, until it is resumed.</source>
        <translation>停住不动，重启后也一样，直到继续。</translation>
    </message>
</context>
<context>
    <name>TokensRow</name>
    <message>
        <source>High quality</source>
        <translation>高质量</translation>
    </message>
    <message>
        <source>Asks for a clean, sharp picture.</source>
        <translation>要求画面干净、清晰。</translation>
    </message>
    <message>
        <source>Knows the length</source>
        <translation>已知时长</translation>
    </message>
    <message>
        <source>Tells the model how much of the video is still to come.</source>
        <translation>告诉模型视频还剩多少。</translation>
    </message>
    <message>
        <source>Still start</source>
        <translation>静态开场</translation>
    </message>
    <message>
        <source>The first frames hardly move.</source>
        <translation>开头几帧几乎不动。</translation>
    </message>
    <message>
        <source>Lively start</source>
        <translation>动态开场</translation>
    </message>
    <message>
        <source>There is motion from the first frame on.</source>
        <translation>从首帧开始就有运动。</translation>
    </message>
    <message>
        <source>2D anime</source>
        <translation>2D 动漫</translation>
    </message>
    <message>
        <source>Drawn like an animated film.</source>
        <translation>手绘动画风格。</translation>
    </message>
    <message>
        <source>3D model</source>
        <translation>3D 模型</translation>
    </message>
    <message>
        <source>Looks like computer animation.</source>
        <translation>电脑动画风格。</translation>
    </message>
    <message>
        <source>Borders</source>
        <translation>边框</translation>
    </message>
    <message>
        <source>The token the model learned for pictures with borders.</source>
        <translation>模型为带边框的画面学到的词元。</translation>
    </message>
    <message>
        <source>Special tokens</source>
        <translation>特殊词元</translation>
    </message>
</context>
<context>
    <name>Transitions</name>
    <message>
        <source>goes on</source>
        <translation>继续</translation>
    </message>
    <message>
        <source>the same one in a new place</source>
        <translation>同一主体，新场景</translation>
    </message>
    <message>
        <source>a new one in the same place</source>
        <translation>新主体，同一场景</translation>
    </message>
    <message>
        <source>with a cut</source>
        <translation>切换镜头</translation>
    </message>
    <message>
        <source>How it begins</source>
        <translation>如何开头</translation>
    </message>
    <message>
        <source>What the new part takes over from what comes before it.</source>
        <translation>新的部分从之前的部分沿用什么。</translation>
    </message>
</context>
<context>
    <name>Transport</name>
    <message>
        <source>Time</source>
        <translation>时间</translation>
    </message>
    <message>
        <source>Time of this frame, and length of the video.</source>
        <translation>此帧的时间和视频的时长。</translation>
    </message>
    <message>
        <source>Speed</source>
        <translation>速度</translation>
    </message>
    <message>
        <source>How fast the video plays.</source>
        <translation>视频的播放速度。</translation>
    </message>
    <message>
        <source>Zoom</source>
        <translation>缩放</translation>
    </message>
    <message>
        <source>How large the picture is.</source>
        <translation>画面的大小。</translation>
    </message>
    <message>
        <source>Pause</source>
        <translation>暂停</translation>
    </message>
    <message>
        <source>Play</source>
        <translation>播放</translation>
    </message>
    <message>
        <source>Fit</source>
        <translation>适应</translation>
    </message>
</context>
<context>
    <name>Undo</name>
    <message>
        <source>composing another video</source>
        <translation>改为编写另一个视频</translation>
    </message>
    <message>
        <source>choosing another model</source>
        <translation>选择其他模型</translation>
    </message>
    <message>
        <source>changing a queued video</source>
        <translation>修改队列中的视频</translation>
    </message>
    <message numerus="yes">
        <source>making %n video(s)</source>
        <translation>
            <numerusform>制作 %n 个视频</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>deleting %n video(s)</source>
        <translation>
            <numerusform>删除 %n 个视频</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>removing %n video(s) from the queue</source>
        <translation>
            <numerusform>从队列移除 %n 个视频</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>UpdateNotices</name>
    <message>
        <source>Shall Magi Desktop look once a day whether there is a newer version?</source>
        <translation>是否让 Magi Desktop 每天检查一次新版本？</translation>
    </message>
    <message>
        <source>Yes, look</source>
        <translation>是，检查</translation>
    </message>
    <message>
        <source>Magi Desktop {} is available.</source>
        <translation>Magi Desktop {} 已发布。</translation>
    </message>
    <message>
        <source>Show…</source>
        <translation>查看…</translation>
    </message>
</context>
<context>
    <name>UpdatesDialog</name>
    <message>
        <source>Updates</source>
        <translation>更新</translation>
    </message>
    <message>
        <source>What is new</source>
        <translation>新内容</translation>
    </message>
    <message>
        <source>What this version brings.</source>
        <translation>此版本带来的内容。</translation>
    </message>
    <message>
        <source>Progress of the download</source>
        <translation>下载进度</translation>
    </message>
    <message>
        <source>Open its page</source>
        <translation>打开其网页</translation>
    </message>
    <message>
        <source>Shows the new version in your browser.</source>
        <translation>在浏览器中查看新版本。</translation>
    </message>
    <message>
        <source>Copy the command</source>
        <translation>复制命令</translation>
    </message>
    <message>
        <source>For a terminal; it asks for your password.</source>
        <translation>用于终端；会询问您的密码。</translation>
    </message>
    <message>
        <source>Cancel</source>
        <translation>取消</translation>
    </message>
    <message>
        <source>What has come so far is kept.</source>
        <translation>已下载的部分会保留。</translation>
    </message>
    <message>
        <source>Close</source>
        <translation>关闭</translation>
    </message>
    <message>
        <source>Close this sheet.</source>
        <translation>关闭此页。</translation>
    </message>
    <message>
        <source>Look again</source>
        <translation>再次检查</translation>
    </message>
    <message>
        <source>Asks for the list of versions again.</source>
        <translation>再次获取版本列表。</translation>
    </message>
    <message>
        <source>Download</source>
        <translation>下载</translation>
    </message>
    <message>
        <source>Fetches the installer and checks it.</source>
        <translation>下载安装程序并校验。</translation>
    </message>
    <message>
        <source>Install</source>
        <translation>安装</translation>
    </message>
    <message>
        <source>Starts the installer that was fetched.</source>
        <translation>启动已下载的安装程序。</translation>
    </message>
    <message>
        <source>Quit Magi Desktop</source>
        <translation>退出 Magi Desktop</translation>
    </message>
    <message>
        <source>The next start uses the new version.</source>
        <translation>下次启动即使用新版本。</translation>
    </message>
    <message>
        <source>The system asks for your password. In a terminal it is: {}</source>
        <translation>系统会询问您的密码。在终端中可使用：{}</translation>
    </message>
    <message>
        <source>Version {} is installed; the next start uses it.</source>
        <translation>版本 {} 已安装，下次启动即使用。</translation>
    </message>
    <message>
        <source>This is version {}.</source>
        <translation>当前版本为 {}。</translation>
    </message>
    <message>
        <source>Looking for a newer version…</source>
        <translation>正在检查新版本…</translation>
    </message>
    <message>
        <source>Version {} is the newest.</source>
        <translation>版本 {} 已是最新。</translation>
    </message>
    <message>
        <source>Fetching version {}…</source>
        <translation>正在下载版本 {}…</translation>
    </message>
    <message>
        <source>Version {} is here and was checked.</source>
        <translation>版本 {} 已下载并通过校验。</translation>
    </message>
    <message>
        <source>Version {} is available; this is {}.</source>
        <translation>版本 {} 已发布；当前为 {}。</translation>
    </message>
    <message>
        <source>Nothing here opens it: use the command above.</source>
        <translation>这里没有能打开它的程序：请使用上面的命令。</translation>
    </message>
    <message>
        <source>Install it by hand from its page.</source>
        <translation>请从其网页手动安装。</translation>
    </message>
</context>
<context>
    <name>VideoActions</name>
    <message>
        <source>Play</source>
        <translation>播放</translation>
    </message>
    <message>
        <source>Continue</source>
        <translation>续写</translation>
    </message>
    <message>
        <source>Compose a video that goes on where this one ends.</source>
        <translation>编写一个从此视频结尾继续的新视频。</translation>
    </message>
    <message>
        <source>Redo from here…</source>
        <translation>从这里重做…</translation>
    </message>
    <message>
        <source>Make it anew from this second on, or go on from its end without loss.</source>
        <translation>从这一秒起重新制作，或从结尾无损地继续。</translation>
    </message>
    <message>
        <source>Make the rest</source>
        <translation>生成剩余部分</translation>
    </message>
    <message>
        <source>It was stopped early: go on with the next second, in a new video.</source>
        <translation>它被提前停止：从下一秒继续，生成一个新视频。</translation>
    </message>
    <message numerus="yes">
        <source>%n variation(s)</source>
        <translation>
            <numerusform>%n 个变体</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Make %n more like it, with other seeds.</source>
        <translation>
            <numerusform>换用其他种子，再做 %n 个。</numerusform>
        </translation>
    </message>
    <message>
        <source>Use these settings</source>
        <translation>使用这些设置</translation>
    </message>
    <message>
        <source>Copy the first frame</source>
        <translation>复制第一帧</translation>
    </message>
    <message>
        <source>Show in folder</source>
        <translation>在文件夹中显示</translation>
    </message>
    <message>
        <source>Show the file in the file manager.</source>
        <translation>在文件管理器中显示该文件。</translation>
    </message>
    <message>
        <source>Rename…</source>
        <translation>重命名…</translation>
    </message>
    <message>
        <source>Favourite</source>
        <translation>收藏</translation>
    </message>
    <message>
        <source>Mark it, to find it again in the library.</source>
        <translation>加上标记，以便在作品库中找到它。</translation>
    </message>
    <message>
        <source>Details…</source>
        <translation>详情…</translation>
    </message>
    <message>
        <source>How it was made: prompt, seed, size, and how long it took.</source>
        <translation>它是怎样制作的：提示词、种子、尺寸和用时。</translation>
    </message>
    <message>
        <source>Move to trash</source>
        <translation>移到回收站</translation>
    </message>
    <message>
        <source>Find the file …</source>
        <translation>查找文件…</translation>
    </message>
    <message>
        <source>Remove from the list</source>
        <translation>从列表中移除</translation>
    </message>
    <message>
        <source>Export as</source>
        <translation>导出为</translation>
    </message>
    <message>
        <source>PNG frames</source>
        <translation>PNG 帧</translation>
    </message>
    <message>
        <source>{}.</source>
        <translation>{}。</translation>
    </message>
    <message>
        <source>{format}, about {size}</source>
        <translation>{format}，约 {size}</translation>
    </message>
</context>
<context>
    <name>VideoBar</name>
    <message>
        <source>Export</source>
        <translation>导出</translation>
    </message>
    <message>
        <source>Save a copy in another format, such as GIF.</source>
        <translation>以其他格式（如 GIF）保存副本。</translation>
    </message>
    <message>
        <source>More</source>
        <translation>更多</translation>
    </message>
    <message>
        <source>More to do with this video.</source>
        <translation>对此视频的更多操作。</translation>
    </message>
    <message>
        <source>made in {}</source>
        <translation>制作用时 {}</translation>
    </message>
    <message>
        <source>first second only</source>
        <translation>仅第一秒</translation>
    </message>
    <message>
        <source>stopped early</source>
        <translation>提前停止</translation>
    </message>
    <message>
        <source>Show the new one</source>
        <translation>显示新视频</translation>
    </message>
    <message>
        <source>Another video is being made meanwhile: watch that one.</source>
        <translation>另一个视频正在制作：去看那个。</translation>
    </message>
</context>
<context>
    <name>VideoCommands</name>
    <message>
        <source>Rename</source>
        <translation>重命名</translation>
    </message>
    <message>
        <source>Name of the file:</source>
        <translation>文件名：</translation>
    </message>
    <message>
        <source>Where is {name}?</source>
        <translation>{name} 在哪里？</translation>
    </message>
    <message>
        <source>Export as {format}</source>
        <translation>导出为 {format}</translation>
    </message>
    <message>
        <source>Folder to export to</source>
        <translation>导出到的文件夹</translation>
    </message>
    <message>
        <source>Export this part</source>
        <translation>导出这一部分</translation>
    </message>
    <message>
        <source>Exported to {name}.</source>
        <translation>已导出为 {name}。</translation>
    </message>
    <message numerus="yes">
        <source>%n video(s) exported.</source>
        <translation>
            <numerusform>已导出 %n 个视频。</numerusform>
        </translation>
    </message>
    <message>
        <source>Show</source>
        <translation>显示</translation>
    </message>
    <message>
        <source>The first frame was copied.</source>
        <translation>已复制第一帧。</translation>
    </message>
</context>
<context>
    <name>WelcomeDialog</name>
    <message>
        <source>Welcome to Magi Desktop</source>
        <translation>欢迎使用 Magi Desktop</translation>
    </message>
    <message>
        <source>What this computer can run</source>
        <translation>这台电脑能运行什么</translation>
    </message>
    <message>
        <source>Describe a scene, press Generate, and watch the video appear.</source>
        <translation>描述一个场景，点击“生成”，看视频逐渐呈现。</translation>
    </message>
    <message>
        <source>This computer</source>
        <translation>这台电脑</translation>
    </message>
    <message>
        <source>Start with the pocket model</source>
        <translation>从口袋模型开始</translation>
    </message>
    <message>
        <source>Use the model that is already here; nothing has to be downloaded.</source>
        <translation>使用已内置的模型，无需下载。</translation>
    </message>
    <message>
        <source>Ready now</source>
        <translation>现在可用</translation>
    </message>
    <message>
        <source>Larger models</source>
        <translation>更大的模型</translation>
    </message>
</context>
<context>
    <name>WindowDialogs</name>
    <message>
        <source>Nothing more was kept of it: it goes on from its file.</source>
        <translation>没有保留更多内容：将从它的文件继续。</translation>
    </message>
    <message>
        <source>Looking at this computer…</source>
        <translation>正在查看这台电脑…</translation>
    </message>
    <message>
        <source>The diagnostics are on the clipboard.</source>
        <translation>诊断信息已复制到剪贴板。</translation>
    </message>
</context>
<context>
    <name>WindowRow</name>
    <message>
        <source>&amp;Chunks at once</source>
        <translation>并行片段(&amp;C)</translation>
    </message>
    <message>
        <source>How many seconds of video are worked on together.</source>
        <translation>同时处理多少秒的视频。</translation>
    </message>
    <message>
        <source>One at a time: the first second comes soonest, in the least memory.</source>
        <translation>逐段处理：首秒出现最快，占用内存最少。</translation>
    </message>
    <message>
        <source>{} overlap: a later first second, then a faster flow on a GPU.</source>
        <translation>{} 段重叠：首秒稍晚，之后在 GPU 上更快。</translation>
    </message>
    <message>
        <source>{} overlap: the latest first second, and the most memory.</source>
        <translation>{} 段重叠：首秒最晚，占用内存最多。</translation>
    </message>
</context>
<context>
    <name>_Computer</name>
    <message>
        <source>Looking at what is there…</source>
        <translation>正在查看…</translation>
    </message>
    <message>
        <source>None that can be used; the processor does the work</source>
        <translation>没有可用的显卡，由处理器运算</translation>
    </message>
    <message>
        <source>{0}, {1}</source>
        <translation>{0}，{1}</translation>
    </message>
    <message>
        <source>{0}; the faster one of {1}</source>
        <translation>{0}；{1} 块显卡中较快的一块</translation>
    </message>
    <message numerus="yes">
        <source>{}, %n core(s)</source>
        <translation>
            <numerusform>{}，%n 核</numerusform>
        </translation>
    </message>
    <message>
        <source>{} free</source>
        <translation>剩余 {}</translation>
    </message>
    <message>
        <source>Graphics card</source>
        <translation>显卡</translation>
    </message>
    <message>
        <source>Processor</source>
        <translation>处理器</translation>
    </message>
    <message>
        <source>Memory</source>
        <translation>内存</translation>
    </message>
    <message>
        <source>Disk</source>
        <translation>磁盘</translation>
    </message>
    <message>
        <source>This computer could not be examined. The pocket model runs all the same.</source>
        <translation>无法检测这台电脑。口袋模型照样可以运行。</translation>
    </message>
</context>
<context>
    <name>_ThingRow</name>
    <message>
        <source>Delete</source>
        <translation>删除</translation>
    </message>
    <message>
        <source>Moves it to the bin; that can be undone.</source>
        <translation>移到回收站；可以撤销。</translation>
    </message>
    <message>
        <source>Delete: {}</source>
        <translation>删除：{}</translation>
    </message>
    <message>
        <source>In use; without it the original has to be downloaded again.</source>
        <translation>使用中；删除后需重新下载原件。</translation>
    </message>
    <message>
        <source>Made on this computer; can be made again.</source>
        <translation>在这台电脑上制作；可以重新制作。</translation>
    </message>
    <message>
        <source>Used in place of the large original.</source>
        <translation>代替体积大的原件使用。</translation>
    </message>
    <message>
        <source>Prompts that need not be encoded again.</source>
        <translation>不必再次编码的提示词。</translation>
    </message>
    <message>
        <source>Compiled on this computer; the next video compiles what it needs again.</source>
        <translation>在本机上编译；下一个视频会重新编译所需的部分。</translation>
    </message>
    <message>
        <source>No longer needed: the small text encoder does its work.</source>
        <translation>不再需要：小的文本编码器已代替它。</translation>
    </message>
    <message>
        <source>Needed to redo or extend videos without loss; the videos themselves stay.</source>
        <translation>用于无损地重做或延长视频；视频本身会保留。</translation>
    </message>
    <message>
        <source>Downloaded in part; without it the download begins anew.</source>
        <translation>已下载一部分；删除后下载将重新开始。</translation>
    </message>
</context>
</TS>

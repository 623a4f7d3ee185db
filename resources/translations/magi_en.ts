<?xml version="1.0" encoding="utf-8"?>
<!DOCTYPE TS>
<TS version="2.1" language="en">
<context>
    <name>AuditionDialog</name>
    <message numerus="yes">
        <source>%n more being made</source>
        <translation>
            <numerusform>%n more being made</numerusform>
            <numerusform>%n more being made</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n more wait: the queue is held.</source>
        <translation>
            <numerusform>%n more waits: the queue is held.</numerusform>
            <numerusform>%n more wait: the queue is held.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>ClipEditor</name>
    <message numerus="yes">
        <source>%n frame(s) at {fps} fps</source>
        <translation>
            <numerusform>%n frame at {fps} fps</numerusform>
            <numerusform>%n frames at {fps} fps</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>DeletionNotice</name>
    <message numerus="yes">
        <source>%n video(s) deleted.</source>
        <translation>
            <numerusform>%n video deleted.</numerusform>
            <numerusform>%n videos deleted.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n other take(s) of the same video stay.</source>
        <translation>
            <numerusform>%n other take of the same video stays.</numerusform>
            <numerusform>%n other takes of the same video stay.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>DetailsDialog</name>
    <message numerus="yes">
        <source>%n step(s)</source>
        <translation>
            <numerusform>%n step</numerusform>
            <numerusform>%n steps</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>FromHere</name>
    <message numerus="yes">
        <source>%n variation(s) from here</source>
        <translation>
            <numerusform>%n variation from here</numerusform>
            <numerusform>%n variations from here</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>GenerateBar</name>
    <message numerus="yes">
        <source>%n variation(s)</source>
        <translation>
            <numerusform>%n variation</numerusform>
            <numerusform>%n variations</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>LibraryModel</name>
    <message numerus="yes">
        <source>%n take(s)</source>
        <translation>
            <numerusform>%n take</numerusform>
            <numerusform>%n takes</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>LibraryPanel</name>
    <message numerus="yes">
        <source>%n video(s)</source>
        <translation>
            <numerusform>%n video</numerusform>
            <numerusform>%n videos</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Making</name>
    <message numerus="yes">
        <source>%n prompt(s) of a storyboard are in place of those before.</source>
        <translation>
            <numerusform>%n prompt of a storyboard is in place of those before.</numerusform>
            <numerusform>%n prompts of a storyboard are in place of those before.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>PreflightLine</name>
    <message numerus="yes">
        <source>{} s, %n frame(s)</source>
        <translation>
            <numerusform>{} s, %n frame</numerusform>
            <numerusform>{} s, %n frames</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>QualityRow</name>
    <message numerus="yes">
        <source>{} · %n step(s)</source>
        <translation>
            <numerusform>{} · %n step</numerusform>
            <numerusform>{} · %n steps</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Moved from {} to %n step(s), which fit the seconds worked on at once.</source>
        <translation>
            <numerusform>Moved from {} to %n step, which fits the seconds worked on at once.</numerusform>
            <numerusform>Moved from {} to %n steps, which fit the seconds worked on at once.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>QueuePanel</name>
    <message numerus="yes">
        <source>%n video(s) removed.</source>
        <translation>
            <numerusform>%n video removed.</numerusform>
            <numerusform>%n videos removed.</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n failed</source>
        <translation>
            <numerusform>%n failed</numerusform>
            <numerusform>%n failed</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>%n video(s) waiting</source>
        <translation>
            <numerusform>%n video waiting</numerusform>
            <numerusform>%n videos waiting</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>RedoDialog</name>
    <message numerus="yes">
        <source>%n variation(s)</source>
        <translation>
            <numerusform>%n variation</numerusform>
            <numerusform>%n variations</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>Undo</name>
    <message numerus="yes">
        <source>making %n video(s)</source>
        <translation>
            <numerusform>making %n video</numerusform>
            <numerusform>making %n videos</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>deleting %n video(s)</source>
        <translation>
            <numerusform>deleting %n video</numerusform>
            <numerusform>deleting %n videos</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>removing %n video(s) from the queue</source>
        <translation>
            <numerusform>removing %n video from the queue</numerusform>
            <numerusform>removing %n videos from the queue</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>VideoActions</name>
    <message numerus="yes">
        <source>%n variation(s)</source>
        <translation>
            <numerusform>%n variation</numerusform>
            <numerusform>%n variations</numerusform>
        </translation>
    </message>
    <message numerus="yes">
        <source>Make %n more like it, with other seeds.</source>
        <translation>
            <numerusform>Make %n more like it, with another seed.</numerusform>
            <numerusform>Make %n more like it, with other seeds.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>VideoCommands</name>
    <message numerus="yes">
        <source>%n video(s) exported.</source>
        <translation>
            <numerusform>%n video exported.</numerusform>
            <numerusform>%n videos exported.</numerusform>
        </translation>
    </message>
</context>
<context>
    <name>_Computer</name>
    <message numerus="yes">
        <source>{}, %n core(s)</source>
        <translation>
            <numerusform>{}, %n core</numerusform>
            <numerusform>{}, %n cores</numerusform>
        </translation>
    </message>
</context>
</TS>

; What the installer and the uninstaller say. Both languages, line by line.

!macro SAY name english chinese
  LangString ${name} ${LANG_ENGLISH} "${english}"
  LangString ${name} ${LANG_SIMPCHINESE} "${chinese}"
!macroend
!define Say "!insertmacro SAY"

${Say} TooOld \
  "${NAME} needs Windows 10 version 1809 or later, 64 bit, on an x64 processor (on Arm: Windows 11)." \
  "${NAME} 需要 64 位 Windows 10 1809 或更高版本和 x64 处理器（Arm 设备需要 Windows 11）。"
${Say} Running \
  "The installer is already running." \
  "安装程序已在运行。"
${Say} PageTitle \
  "Install ${NAME} ${VERSION}" \
  "安装 ${NAME} ${VERSION}"
${Say} PageSubtitle \
  "For you alone; no administrator rights are needed." \
  "仅为当前用户安装，无需管理员权限。"
${Say} PageText \
  "The program is installed into this folder. When it starts for the first time it fetches what fits your graphics card." \
  "程序将安装到以下文件夹。首次启动时，它会下载适合您显卡的组件。"
${Say} PageUpdate \
  "The version that is installed is replaced where it is; to have it in another folder, remove it first. Settings, videos and models stay as they are." \
  "已安装的版本将在原位置被替换；如需安装到其他文件夹，请先将其卸载。设置、视频和模型保持不变。"
${Say} Browse \
  "Browse…" \
  "浏览…"
${Say} ChooseFolder \
  "Choose the folder to install into." \
  "选择安装文件夹。"
${Say} DesktopShortcut \
  "Put a shortcut on the &desktop" \
  "在桌面上创建快捷方式(&D)"
${Say} NoSpace \
  "There is too little space on that disk: ${SIZE_MB} MB are needed. Choose another folder, or free some space." \
  "该磁盘空间不足：需要 ${SIZE_MB} MB。请选择其他文件夹，或释放一些空间。"
${Say} NotWritable \
  "Nothing can be written into that folder. Choose another one." \
  "无法写入该文件夹。请选择其他文件夹。"
${Say} NotDone \
  "The files could not be written. Nothing was changed; free some space, then try again." \
  "无法写入文件。未做任何更改；请释放一些空间，然后重试。"
${Say} InUse \
  "${NAME} is running. Close it, then try again." \
  "${NAME} 正在运行。请关闭它，然后重试。"
${Say} MediaFile \
  "Picture or video" \
  "图片或视频"
${Say} Comment \
  "Turn a sentence, a picture or a clip into video" \
  "把一句话、一张图片或一段视频变成视频"
${Say} KeepTitle \
  "Remove ${NAME}" \
  "卸载 ${NAME}"
${Say} KeepSubtitle \
  "The program and what it fetched for itself go. What is yours stays, if you like." \
  "将移除程序及其自身下载的组件。属于您的内容可以保留。"
${Say} KeepModels \
  "Keep the &models" \
  "保留模型(&M)"
${Say} KeepVideos \
  "Keep the &videos (otherwise they go to the recycle bin)" \
  "保留视频(&V)（否则移到回收站）"
${Say} KeepTakes \
  "Keep what videos are &redone and extended from" \
  "保留重做和延长视频所需的数据(&R)"
${Say} KeepSettings \
  "Keep the &settings, the queue and the list of the library" \
  "保留设置、队列和视频库列表(&S)"
${Say} Looking \
  "Looking at what there is…" \
  "正在查看现有内容…"
